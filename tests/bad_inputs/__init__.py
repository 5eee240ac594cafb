"""What users give that cannot be right, by kind, and the sentence that each must get: see tests/test_bad_inputs.py."""
