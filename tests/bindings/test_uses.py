"""The checker of names itself: that it follows the code, and finds what is planted."""

from pathlib import Path

import pytest

from tests.bindings.check import judge, merge, table, typos, uncalled
from tests.bindings.uses import Surface, Uses, knows_tensorrt, read_uses

OLD: Surface = {
    "": {"Builder": "", "BuilderFlag": "", "IBuilderConfig": "", "__version__": ""},
    "Builder": {"create_builder_config": "IBuilderConfig", "create_network": "INetworkDefinition"},
    "BuilderFlag": {"FP16": ""},
    "IBuilderConfig": {"set_flag": "", "clear_flag": "", "max_workspace_size": "int"},
    "INetworkDefinition": {"get_input": "ITensor", "num_inputs": "int"},
    "ITensor": {"name": "str"},
}
NEW: Surface = {
    **OLD,
    "": {**OLD[""], "IProgressMonitor": ""},
    "BuilderFlag": {"TF32": ""},
    "IBuilderConfig": {"set_flag": "", "clear_flag": "", "progress_monitor": "IProgressMonitor"},
    "IProgressMonitor": {"phase_start": "", "step_complete": "", "phase_finish": ""},
}
EVERY = merge([OLD, NEW])


def read(folder: Path, source: str) -> Uses:
    (folder / "code.py").write_text(source)
    return read_uses([folder / "code.py"], folder, merge([OLD, NEW]))


def missing(uses: Uses, surface: Surface) -> list[str]:
    return [str(use) for use in judge(uses, surface, EVERY).missing]


@pytest.mark.parametrize(
    ("source", "planted"),
    [
        ("def f(trt):\n    trt.Bilder()", "trt.Bilder"),
        ("def f(trt):\n    b = trt.Builder()\n    b.create_netwrok()", "trt.Builder.create_netwrok"),
        ("def f(builder):\n    builder.create_network().num_input", "trt.INetworkDefinition.num_input"),
        ("def f(builder):\n    x = builder.create_network()\n    x.get_input(0).nme", "trt.ITensor.nme"),
        ("def f(x: 'trt.IBuilderConfig | None'):\n    x.set_flg(1)", "trt.IBuilderConfig.set_flg"),
        ("class A:\n    x: 'trt.ITensor'\n    def f(self):\n        self.x.nme", "trt.ITensor.nme"),
        ("class A:\n    def f(self, trt):\n        self.t = trt.Builder()\n        self.t.go()", "trt.Builder.go"),
        ("class A:\n    def f(self):\n        self._config.nonsense = 3", "trt.IBuilderConfig.nonsense"),
        (
            "class A:\n    def g(self, y):\n        self.x: trt.ITensor = y\n    def f(self):\n        self.x.nme",
            "trt.ITensor.nme",
        ),
        ("class A:\n    def f(self, m):\n        self.trt: ModuleType = m\n        self.trt.Bilder()", "trt.Bilder"),
        ("class A:\n    x: 'trt.ITensor'\ndef f(a: A):\n    a.x.nme", "trt.ITensor.nme"),
        (
            "class A:\n    x: 'trt.ITensor'\nclass B:\n    def f(self):\n        self.a = A()\n"
            "    def g(self):\n        b, c = 1, self.a\n        c.x.nme",
            "trt.ITensor.nme",
        ),
        ("def f(found: 'list[trt.ITensor]'):\n    return [x.nme for x in found]", "trt.ITensor.nme"),
        ("def f(network):\n    return [tensor.nme for tensor in network]", "trt.ITensor.nme"),
        ("def f(trt):\n    getattr(trt.BuilderFlag, 'FP17')", "trt.BuilderFlag.FP17"),
        ("def f(trt):\n    for n in ('FP16', 'FP17'):\n        getattr(trt.BuilderFlag, n)", "trt.BuilderFlag.FP17"),
    ],
)
def test_a_planted_wrong_name_is_found(tmp_path: Path, source: str, planted: str) -> None:
    found = missing(read(tmp_path, source), OLD)
    assert [line.split()[1] for line in found] == [planted]
    assert found[0].startswith("code.py:")


@pytest.mark.parametrize(
    "source",
    [
        "def f(config):\n    config.set_flag(1)",
        "def f(config: Path):\n    config.read_text()",  # goes by the name, and is another thing
        "def f(options):\n    options.nonsense",
        "def f(config: 'Other | None'):\n    config.read_text()",
        "def f(rows: list[Row]):\n    return [tensor.on_dla for tensor in rows]",
        "def f(trt, config, m):\n    config.progress_monitor = m if hasattr(trt, 'IProgressMonitor') else 0",
        "def f(trt):\n    trt.__name__",
        "def f(trt):\n    if hasattr(trt, 'IProgressMonitor'):\n        trt.IProgressMonitor.phase_start",
        "def f(config, m):\n    if hasattr(config, 'progress_monitor'):\n        config.progress_monitor = m",
        "def f(trt):\n    return getattr(trt.BuilderFlag, 'TF32', None)",
        "def has(o, n):\n    return hasattr(o, n)\ndef f(trt):\n    has(trt.BuilderFlag, 'TF32')",
    ],
)
def test_what_is_there_or_asked_for_is_let_through(tmp_path: Path, source: str) -> None:
    uses = read(tmp_path, source)
    assert missing(uses, OLD) == []
    assert typos(uses, [OLD, NEW]) == []
    assert uses.unclear == frozenset()


@pytest.mark.parametrize(
    "source",
    [
        "def f(trt):\n    hasattr(trt.BuilderFlag, 'PF16')",
        "def f(config):\n    getattr(config, 'PF16', None)",
        "def has(o, n):\n    return hasattr(o, n)\ndef f(trt):\n    has(trt.BuilderFlag, 'PF16')",
        "NAMES = ('FP16', 'PF16')\ndef f(trt):\n    for n in NAMES:\n        hasattr(trt.BuilderFlag, n)",
        "N = {'a': 'FP16', 'b': 'PF16'}\ndef f(trt):\n    for _, n in N.items():\n        hasattr(trt.BuilderFlag, n)",
        "N = {'FP16': 1, 'PF16': 2}\ndef f(trt):\n    [n for n, _ in N.items() if hasattr(trt.BuilderFlag, n)]",
    ],
)
def test_a_misspelt_question_is_found(tmp_path: Path, source: str) -> None:
    uses = read(tmp_path, source)
    assert [use.name for use in typos(uses, [OLD, NEW])] == ["PF16"]
    assert missing(uses, OLD) == []


def test_a_question_whose_name_cannot_be_read_is_told(tmp_path: Path) -> None:
    uses = read(tmp_path, "def f(trt, options):\n    return getattr(trt.BuilderFlag, options.flag, None)")
    assert [str(use) for use in uses.unclear] == [
        "code.py:2 trt.BuilderFlag.getattr(trt.BuilderFlag, options.flag, None)"
    ]


@pytest.mark.parametrize(
    "source",
    [
        "def f(trt):\n    class M(trt.IProgressMonitor):\n        def phase_start(self): ...\n"
        "        def step_completed(self): ...\n        def phase_finish(self): ...",
        "def f(trt, m):\n    return make(trt.IProgressMonitor, m, ('phase_start', 'step_completed', 'phase_finish'))",
        "def f(trt, m):\n    i = getattr(trt, 'IProgressMonitor')\n"
        "    return make(i, m, ('phase_start', 'step_completed', 'phase_finish'))",
    ],
)
def test_a_callback_that_would_never_be_called_is_found(tmp_path: Path, source: str) -> None:
    assert uncalled(read(tmp_path, source)) == ["code.py: IProgressMonitor without step_complete"]
    right = read(tmp_path, source.replace("step_completed", "step_complete"))
    assert uncalled(right) == []
    assert missing(right, OLD) == ["code.py:2 trt.IProgressMonitor"]  # which is not there, and nobody asked


def test_the_table_says_what_each_version_lacks(tmp_path: Path) -> None:
    source = (
        "def f(trt, config):\n    hasattr(trt.BuilderFlag, 'TF32')\n    config.max_workspace_size = 1\n    trt.Builder"
    )
    uses = read(tmp_path, source)
    lines = table({"8.6.1": judge(uses, OLD, EVERY), "11.4": judge(uses, NEW, EVERY)}).splitlines()
    assert [line.split() for line in lines[1:3]] == [["8.6.1", "4", "3", "1", "0"], ["11.4", "4", "3", "0", "1"]]
    assert lines[3:] == [
        "8.6.1 has not: BuilderFlag.TF32",
        "11.4 LACKS code.py:3 trt.IBuilderConfig.max_workspace_size",
    ]


def test_only_files_that_hold_tensorrts_module_are_read(tmp_path: Path) -> None:
    sources = {
        "def f(trt): ...": True,
        "import os\ntrt = 3": True,
        "if T:\n    import tensorrt as x": True,
        "x = 'trt'": False,
    }
    for source, known in sources.items():
        (tmp_path / "a.py").write_text(source)
        assert knows_tensorrt(tmp_path / "a.py") is known
