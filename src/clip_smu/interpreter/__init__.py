"""What reads templates: interpreter or probe, calibration, verdicts, evidence; whole stores; two faces."""
