"""What a lender's mapping allows, read at the moment it is asked for."""

from turno_lms.domain.resolutions import Band
from turno_lms.lenders.registry import load_lender, mappings_directory
from turno_lms.lenders.resolutions import Resolutions, SettlementPolicy, WriteOffPolicy
from turno_lms.resolutions.quotes import ResolutionError


def _resolutions(lender: str) -> Resolutions:
    path = mappings_directory() / f"{lender}.yml"
    if not path.is_file():
        raise ResolutionError(f"lender {lender} has no mapping {path.name}")
    return load_lender(path).resolutions


def settlement_policy(lender: str) -> SettlementPolicy:
    """The lender's settlements; raises ResolutionError where its mapping allows none."""
    policy = _resolutions(lender).settlement
    if policy is None:
        raise ResolutionError(f"{lender} allows no settlements: its mapping has no resolutions.settlement")
    return policy


def write_off_policy(lender: str) -> WriteOffPolicy:
    """The lender's write-offs; raises ResolutionError where its mapping allows none."""
    policy = _resolutions(lender).write_off
    if policy is None:
        raise ResolutionError(f"{lender} allows no write-offs: its mapping has no resolutions.write_off")
    return policy


def band_named(bands: tuple[Band, ...], name: str) -> Band:
    """A band as the mapping has it now; raises ResolutionError if it is gone: what was asked under it must be anew."""
    for band in bands:
        if band.name == name:
            return band
    raise ResolutionError(f"the mapping has no band {name} any more: ask anew")
