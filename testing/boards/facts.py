"""Boards that exist only in tests and demonstrations, and say so in their facts: what `agent run --facts` reads."""


def simulated_board(**facts: object) -> dict[str, object]:
    """Facts of a board that exists only in tests, as the JSON form of the Facts message."""
    return {"arch": "aarch64", "simulated": True, "runtimes": {"simulated": "1"}, **facts}
