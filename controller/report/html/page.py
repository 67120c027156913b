"""One HTML file that stands alone: no script, no network, light and dark by the reader's choice, and on paper."""

from collections.abc import Iterable, Sequence
from html import escape

_STYLE = """
:root{color-scheme:light dark;--ink:#1b1f24;--quiet:#57606a;--paper:#fff;--rule:#d0d7de;--band:#f4f6f8;--link:#0550ae;
--good:#116329;--bad:#b3261e;--unsure:#7a5200;--c0:#0969da;--c1:#bc4c00;--c2:#1a7f37;--c3:#8250df;--c4:#bf3989;
--c5:#4d6b00;--c6:#6e7781;--c7:#0a7a84;
--h1:#fff8e1;--h2:#ffedc2;--h3:#ffdb9c;--h4:#ffc38a}
@media (prefers-color-scheme:dark){:root{--ink:#e6edf3;--quiet:#9aa5b1;--paper:#0d1117;--rule:#3b434d;--band:#161b22;
--link:#79c0ff;--good:#56d364;--bad:#ff8b82;--unsure:#e3b341;--c0:#58a6ff;--c1:#f0883e;--c2:#56d364;--c3:#bc8cff;
--c4:#ff7bc0;--c5:#b3d54a;--c6:#9aa5b1;--c7:#4fd1dc;
--h1:#1f1a10;--h2:#33270f;--h3:#4a330f;--h4:#643a12}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main,header,footer{max-width:64rem;margin:0 auto;padding:0 1rem}
h1{font-size:1.6rem;margin:1.5rem 0 .25rem}
h2{font-size:1.25rem;margin:2.25rem 0 .5rem;border-bottom:1px solid var(--rule)}
h3{font-size:1rem;margin:1.25rem 0 .25rem}
a{color:var(--link)}p,ul{margin:.4rem 0}
.quiet,figcaption,footer{color:var(--quiet);font-size:.875rem}
.notice{border-left:4px solid var(--unsure);background:var(--band);padding:.5rem .75rem}
.chosen{border-color:var(--good)}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.875rem;font-variant-numeric:tabular-nums}
caption{text-align:left;color:var(--quiet);padding:.25rem 0}
th,td{border-bottom:1px solid var(--rule);padding:.3rem .5rem;text-align:left;vertical-align:top}
td.n,th.n{text-align:right;white-space:nowrap}
thead th{background:var(--band)}
tbody th{white-space:nowrap}td.quiet,td .quiet{font-size:.8125rem}.below{display:block}
.good{color:var(--good)}.bad{color:var(--bad)}.unsure{color:var(--unsure)}
nav a{display:inline-block;padding:.15rem .75rem .15rem 0}
.tally{display:flex;flex-wrap:wrap;gap:.4rem}
.tally span{border:1px solid currentColor;border-radius:1rem;padding:.05rem .7rem;font-size:.875rem;font-weight:600}
.cell{display:block;margin:-.3rem -.5rem;padding:.3rem .5rem;white-space:nowrap}
.cell small{display:inline-block;min-width:2.9rem;text-align:right;font-size:.8125rem}
.h1{background:var(--h1)}.h2{background:var(--h2)}.h3{background:var(--h3)}.h4{background:var(--h4)}
figure{margin:.75rem 0 1.25rem}svg{width:100%;min-width:44rem;height:auto;font:12px system-ui,sans-serif}
svg text{fill:var(--ink)}svg text.quiet{fill:var(--quiet);font-size:12px}
.axis{stroke:var(--quiet);stroke-width:1}.zero{stroke:var(--quiet);stroke-dasharray:3 3}
.whisker{stroke-width:2.5}.whisker.good,.dot.good{stroke:var(--good)}.whisker.bad,.dot.bad{stroke:var(--bad)}
.whisker.unsure,.dot.unsure{stroke:var(--unsure)}.whisker.same,.dot.same{stroke:var(--quiet)}.dot.same{fill:var(--quiet)}
.dot{fill:var(--paper);stroke-width:2.5}.dot.good{fill:var(--good)}.dot.bad{fill:var(--bad)}.dot.rest{stroke:var(--quiet)}
.curve{fill:none;stroke-width:1.8}.mark{stroke-width:1.6}
details{border-bottom:1px solid var(--rule);padding:.4rem 0}summary{cursor:pointer}
code{font:.8125rem ui-monospace,monospace;overflow-wrap:anywhere}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem .75rem;font-size:.875rem;margin:.4rem 0}
dt{color:var(--quiet)}dd{margin:0;overflow-wrap:anywhere}
@media (max-width:40rem){dl{grid-template-columns:1fr}dd{margin-bottom:.4rem}}
@media print{:root{color-scheme:light;--ink:#000;--quiet:#444;--paper:#fff;--rule:#bbb;--band:#f2f2f2;--link:#000;
--good:#116329;--bad:#b3261e;--unsure:#7a5200;--c0:#0969da;--c1:#bc4c00;--c2:#1a7f37;--c3:#8250df;--c4:#bf3989;
--c5:#4d6b00;--c6:#6e7781;--c7:#0a7a84;
--h1:#fff8e1;--h2:#ffedc2;--h3:#ffdb9c;--h4:#ffc38a}body{font-size:11px}nav{display:none}figure,tr{break-inside:avoid}svg{min-width:0}
.quiet,figcaption,footer,.tally span,dl{font-size:10px}
table{font-size:9px}th,td{padding:.15rem .3rem}tbody th,td.n,th.n,.cell{white-space:normal}
*{print-color-adjust:exact}h2{break-after:avoid}
.scroll{overflow:visible}}
"""
_TONES = "".join(
    f".curve.s{index},.mark.s{index}{{stroke:var(--c{index})}}.part.s{index},.part.t{index}{{fill:var(--c{index})}}"
    for index in range(8)
)


def page(title: str, *, header: str, body: str, footer: str) -> str:
    """The whole document. The parts are HTML already; the title is text."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{escape(title)}</title><style>{_STYLE}{_TONES}</style></head><body>"
        f"<header>{header}</header><main>{body}</main><footer>{footer}</footer></body></html>\n"
    )


def section(title: str, parts: Iterable[str], *, key: str) -> str:
    """Nothing where there is nothing to show."""
    inside = "".join(parts)
    return f'<section aria-labelledby="{key}"><h2 id="{key}">{escape(title)}</h2>{inside}</section>' if inside else ""


def paragraph(words: str, style: str = "") -> str:
    return f"<p{_class(style)}>{escape(words)}</p>"


def tally(counts: Iterable[tuple[str, str]]) -> str:
    """Words with their tones, side by side."""
    return f'<p class="tally">{" ".join(toned(words, style) for words, style in counts)}</p>'


def navigation(targets: Iterable[tuple[str, str]]) -> str:
    """Where the sections are: keys and titles."""
    return f'<nav aria-label="Sections">{"".join(link(key, title) for key, title in targets)}</nav>'


def anchor(measurement_id: int) -> str:
    """The evidence of a measurement."""
    return f"m{measurement_id}"


def bullets(lines: Iterable[str]) -> str:
    items = "".join(f"<li>{escape(words)}</li>" for words in lines)
    return f"<ul>{items}</ul>" if items else ""


def figure(picture: str, caption: str) -> str:
    return (
        f'<figure><div class="scroll" tabindex="0">{picture}</div><figcaption>{escape(caption)}</figcaption></figure>'
    )


def table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], *, caption: str, right: frozenset[str] = frozenset()
) -> str:
    """Cells are HTML already. The first column heads its row."""
    head = "".join(f'<th scope="col"{_class("n" if name in right else "")}>{escape(name)}</th>' for name in columns)
    lines = "".join(f"<tr>{_cells(row, columns, right)}</tr>" for row in rows)
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}"><table>'
        f"<caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>"
    )


def _cells(row: Sequence[str], columns: Sequence[str], right: frozenset[str]) -> str:
    first, *rest = row
    cells = [f'<th scope="row">{first}</th>']
    cells += [
        f"<td{_class('n' if name in right else '')}>{cell}</td>" for name, cell in zip(columns[1:], rest, strict=True)
    ]
    return "".join(cells)


def shaded(inside: str, words: str, *, shade: int) -> str:
    """A number, which is HTML already, with few words beside it; 0 is no shade, 4 the darkest."""
    style = f"cell h{shade}" if shade else "cell"
    return f'<span class="{style}">{inside} <small>{escape(words)}</small></span>'


def link(target: str, words: str) -> str:
    return f'<a href="#{escape(target)}">{escape(words)}</a>'


def definitions(pairs: Iterable[tuple[str, str]]) -> str:
    inside = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in pairs if value)
    return f"<dl>{inside}</dl>" if inside else ""


def details(summary: str, inside: str, *, key: str) -> str:
    """Folded up; a link to `key` opens it, because the name is inside."""
    return f'<details><summary>{escape(summary)}</summary><div id="{escape(key)}">{inside}</div></details>'


def toned(words: str, style: str) -> str:
    return f'<span class="{style}">{escape(words)}</span>' if style else escape(words)


def _class(style: str) -> str:
    return f' class="{style}"' if style else ""
