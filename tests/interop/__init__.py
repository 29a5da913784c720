"""Appointments in the formats of other programs."""
