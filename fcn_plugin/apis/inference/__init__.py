"""Prediction of pictures and videos with a trained model."""
