"""What a process knows of the services that it calls, and how one call becomes an outcome.

service_state   whether a service is well, how many calls it bears, what came of them
breaker, slots  its parts: closed, half-open or open; calls at a time
canary          a good picture of our own, to see whether a service answers at all
prober          asks a service that is away, gently, until one call may try it
service_client  the request to a service, and replies, which judges what comes back; http1 carries both
handler         one call to one outcome; knows no broker and no database
"""
