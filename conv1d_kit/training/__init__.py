"""One training loop, metrics with intervals, folds and the model folder; knows neither audio nor text."""
