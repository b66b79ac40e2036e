"""A round trip: LIBRARY HOST:PORT PROTOCOL CERTIFICATES CLIENT_CERTIFICATE|- MECHANISM|-; a wrong password is refused."""
import sys
import time

library, address, protocol, folder, certificate, mechanism = sys.argv[1:]
TOPIC = f"{library}-{protocol}-{mechanism}".lower()
VALUES = [b"value %d" % i for i in range(100)]


def confluent(password):
    from confluent_kafka import Consumer, KafkaException, Producer
    settings = {"bootstrap.servers": address, "security.protocol": protocol, "ssl.ca.location": f"{folder}/ca.pem",
                "log_level": 0}
    if mechanism != "-":
        settings |= {"sasl.mechanism": mechanism, "sasl.username": "admin", "sasl.password": password}
    if certificate != "-":
        settings |= {"ssl.certificate.location": f"{folder}/{certificate}.pem", "ssl.key.location": f"{folder}/{certificate}.key"}
    producer = Producer({**settings, "message.timeout.ms": 5000})
    failed = []
    for value in VALUES:
        producer.produce(TOPIC, value, callback=lambda error, _: failed.append(error) if error else None)
    producer.flush(10)
    if failed:
        raise KafkaException(failed[0])
    consumer = Consumer({**settings, "group.id": TOPIC, "auto.offset.reset": "earliest"})
    consumer.subscribe([TOPIC])
    got, deadline = [], time.monotonic() + 30
    while len(got) < len(VALUES) and time.monotonic() < deadline:
        message = consumer.poll(1)
        if message is not None and not message.error():
            got.append(message.value())
    consumer.close()
    return got


def kafka_python(password):
    from kafka import KafkaConsumer, KafkaProducer
    settings = {"bootstrap_servers": address, "security_protocol": protocol, "ssl_cafile": f"{folder}/ca.pem"}
    if mechanism != "-":
        settings |= {"sasl_mechanism": mechanism, "sasl_plain_username": "admin", "sasl_plain_password": password}
    if certificate != "-":
        settings |= {"ssl_certfile": f"{folder}/{certificate}.pem", "ssl_keyfile": f"{folder}/{certificate}.key"}
    producer = KafkaProducer(**settings, max_block_ms=8000)
    for future in [producer.send(TOPIC, value) for value in VALUES]:
        future.get(timeout=10)
    producer.close()
    consumer = KafkaConsumer(TOPIC, **settings, auto_offset_reset="earliest", consumer_timeout_ms=8000)
    got = []
    for message in consumer:
        got.append(message.value)
        if len(got) == len(VALUES):
            break
    consumer.close()
    return got


round_trip = {"confluent_kafka": confluent, "kafka_python": kafka_python}[library]
assert round_trip("secret") == VALUES, "what comes out is what went in"
if mechanism != "-":
    try:
        round_trip("wrong")
    except Exception as error:  # every library has its own
        assert "uthentication" in str(error) or "imed out" in str(error) or "imeout" in str(error), error
    else:
        raise AssertionError("a wrong password was let in")
print(f"{library} {protocol} {mechanism} {certificate}: ok")
