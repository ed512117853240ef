"""Side by side with other libraries; `make bench` writes RESULTS.md."""
