// rdkafka (Rust) for kafka_matrix.py: produce BOOTSTRAP TOPIC CODEC FROM COUNT | consume BOOTSTRAP TOPIC GROUP. It is ended by SIGTERM.
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance};
use rdkafka::message::{Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};

struct Undelivered;

impl ClientContext for Undelivered {}
impl ProducerContext for Undelivered {
    type DeliveryOpaque = ();
    fn delivery(&self, result: &DeliveryResult<'_>, _: ()) {
        if let Err((error, _)) = result {
            eprintln!("{error}");
            std::process::exit(1);
        }
    }
}

fn produce(bootstrap: &str, topic: &str, codec: &str, first: u32, count: u32) {
    let producer: BaseProducer<Undelivered> = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("enable.idempotence", "true")
        .set("compression.codec", codec)
        .create_with_context(Undelivered)
        .expect("a producer");
    for i in first..first + count {
        let (key, value) = (format!("k{}", i % 20), format!("v{i}"));
        let headers = OwnedHeaders::new().insert(Header { key: "codec", value: Some(codec) });
        producer.send(BaseRecord::to(topic).key(&key).payload(&value).headers(headers)).map_err(|(e, _)| e).expect("room");
    }
    producer.flush(Duration::from_secs(60)).expect("delivered");
}

struct Assignments;

impl ClientContext for Assignments {}
impl ConsumerContext for Assignments {
    fn post_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Assign(partitions) = rebalance {
            let texts: Vec<String> = partitions.elements().iter().map(|p| p.partition().to_string()).collect();
            println!("assigned {}", texts.join(","));
        }
    }
}

fn text(bytes: Option<&[u8]>) -> &str {
    std::str::from_utf8(bytes.unwrap_or_default()).expect("text")
}

fn consume(bootstrap: &str, topic: &str, group: &str) {
    let consumer: BaseConsumer<Assignments> = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "earliest")
        .set("session.timeout.ms", "10000")
        .create_with_context(Assignments)
        .expect("a consumer");
    consumer.subscribe(&[topic]).expect("subscribed");
    loop {
        match consumer.poll(Duration::from_millis(200)) {
            None => {}
            Some(Err(error)) => println!("poll {error}"), // a broker that is away
            Some(Ok(m)) => {
                let codec = m.headers().map_or("", |headers| text(headers.get(0).value));
                println!("record {} {} {} {} {codec}", m.partition(), m.offset(), text(m.key()), text(m.payload()));
                if let Err(error) = consumer.commit_message(&m, CommitMode::Async) {
                    println!("commit {error}"); // what was read comes again
                }
            }
        }
    }
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    match args[1].as_str() {
        "produce" => produce(&args[2], &args[3], &args[4], args[5].parse().expect("a number"), args[6].parse().expect("a number")),
        _ => consume(&args[2], &args[3], &args[4]),
    }
}
