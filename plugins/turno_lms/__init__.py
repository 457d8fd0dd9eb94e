"""Turno LMS: EV loan servicing on Apache Fineract. One subpackage per business area; see docs/."""
