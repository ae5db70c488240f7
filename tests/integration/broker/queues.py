"""The services whose queues these tests declare."""

SERVICES = ["clip", "ocr", "yolov8"]
