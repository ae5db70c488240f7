"""Calls to services: HTTP, concurrency limit, circuit breaker, and the outcome of each call.

job_handler         one job to one outcome; knows neither the broker nor the database
service_client      one call; multipart_request builds the request, http1 sends it, reply_parser reads the reply
service_state       the health of a service, its calls in flight, and counts of outcomes
circuit_breaker     closed, half-open or open; resizable_semaphore limits calls in flight
fleet_slots         the slots of all processes together, for services that take few calls at once
prober              probes a service whose breaker is open, and shows its canary to one that works
canary_watch        when a service is shown its canary, and when it is blind; canaries and probe_image are the pictures
"""
