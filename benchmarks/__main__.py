"""`python -m benchmarks AREA`: measure one area; the last line is `bench <area> key=value ...`."""

import argparse
import importlib
from pathlib import Path

_NO_AREAS = {"__init__", "__main__", "peers", "services"}


def areas() -> list[str]:
    """The areas that can be measured: the modules of this package, by name."""
    return sorted({path.stem for path in Path(__file__).parent.glob("*.py")} - _NO_AREAS)


def main() -> None:
    """Run one area and print its figures, ratios and times with three decimals."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("area", choices=areas())
    area = parser.parse_args().area
    figures = importlib.import_module(f"benchmarks.{area}").run()
    told = (
        f"{key}={value:.3f}" if isinstance(value, float) else f"{key}={value}"
        for key, value in figures.items()
    )
    print("bench", area, *told, flush=True)


if __name__ == "__main__":
    main()
