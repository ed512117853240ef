"""The convolution itself; knows neither audio nor text."""
