"""Pub/Sub for one topic: takes what a publisher sends by gRPC, in Google's own messages, and pushes it on as
Pub/Sub does, at least once, until it is taken.

usage: pubsub_relay.py PORT PUSH_URL TOKEN"""
import base64
import json
import queue
import sys
import time
import urllib.request
from concurrent import futures

import grpc
from google.pubsub_v1 import types

SUBSCRIPTION = "projects/p/subscriptions/churn"
RETRY_SECONDS = 0.1


class Publisher:
    """The two calls that a publisher makes."""

    def __init__(self):
        self.messages = queue.Queue()
        self.count = 0

    def get_topic(self, request, _context):
        return types.Topic(name=request.topic)

    def publish(self, request, _context):
        identifiers = []
        for message in request.messages:
            self.count += 1
            identifiers.append(str(self.count))
            self.messages.put((identifiers[-1], message))
        return types.PublishResponse(message_ids=identifiers)

    def serve(self, port):
        calls = {"GetTopic": (self.get_topic, types.GetTopicRequest, types.Topic),
                 "Publish": (self.publish, types.PublishRequest, types.PublishResponse)}
        handlers = {name: grpc.unary_unary_rpc_method_handler(function, asked.deserialize, answered.serialize)
                    for name, (function, asked, answered) in calls.items()}
        server = grpc.server(futures.ThreadPoolExecutor(4))
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("google.pubsub.v1.Publisher", handlers),))
        server.add_insecure_port(f"127.0.0.1:{port}")
        server.start()
        return server


def push(url, token, identifier, message):
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    body = {"message": {"attributes": dict(message.attributes), "data": base64.b64encode(message.data).decode(),
                        "messageId": identifier, "message_id": identifier, "publishTime": now, "publish_time": now},
            "subscription": SUBSCRIPTION}
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json",
                                                                      "Authorization": "Bearer " + token})
    while True:
        try:
            with urllib.request.urlopen(request, timeout=10):
                return
        except OSError as error:
            print(error, flush=True)
            time.sleep(RETRY_SECONDS)


def main():
    port, url, token = sys.argv[1:]
    publisher = Publisher()
    server = publisher.serve(port)  # which ends when nothing refers to it
    while server:
        push(url, token, *publisher.messages.get())


main()
