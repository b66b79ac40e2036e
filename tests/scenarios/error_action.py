"""A message whose topic does not exist, or whose template does not resolve, goes to errorAction and a counter; never away."""
import json

from _server import check, need, serving


def main():
    need("mosquitto_pub", "kcat")
    with serving() as server:
        server.publish(['{"type":"nowhere","device_no":"T-1"}', '{"device_no":"T-1"}', '{"type":"log","device_no":"T-1"}',
                        "this is not JSON"])
        good = server.consume("message-log", "%k\n")
        check(good == ["T-1"], f"message-log: {good}")
        errors = [json.loads(line) for line in server.consume("rule-errors", "%s\n")]
        check(len(errors) == 3, f"{len(errors)} error records for three messages without a place")
        for error in errors:
            check(error.get("ruleName") == "report_to_kafka", f"names its rule: {error}")
            check("base64OriginalPayload" in error, f"carries the payload: {error}")
        # A topic no rule reads is acknowledged and counted.
        before = server.metric("millrace_pipeline_no_match_total")
        server.publish(["x"], topic="nobody/listens")
        check(server.metric("millrace_pipeline_no_match_total") == before + 1, "unmatched messages are counted")


main()
