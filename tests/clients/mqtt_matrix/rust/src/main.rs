//! rumqttc for mqtt_matrix.py (README.md): its 3.1.1 client and its MQTT 5 client.
use std::io::BufRead;
use std::sync::mpsc::{channel, Receiver, Sender};
use std::thread;
use std::time::Duration;

use rumqttc::{v5, Transport};

const WAIT: Duration = Duration::from_secs(30);
const LARGEST: usize = 1 << 20;

fn encode(word: &str) -> Vec<u8> {
    match word.strip_prefix('*') {
        Some(size) => (0..size.parse::<usize>().unwrap()).map(|i| (i % 251) as u8).collect(),
        None => word.as_bytes().to_vec(),
    }
}

fn decode(payload: &[u8]) -> String {
    let word = format!("*{}", payload.len());
    if payload.len() < 100 {
        String::from_utf8_lossy(payload).into_owned()
    } else if payload == encode(&word) {
        word
    } else {
        "damaged".into()
    }
}

fn heard(topic: &str, qos: u8, retain: bool, payload: &[u8]) {
    println!("message {} {} {} {}", topic, qos, u8::from(retain), decode(payload));
}

enum Client {
    Three(rumqttc::Client),
    Five(v5::Client),
}

/// What the packets that came tell: "connected", "subscribed", "published", or what went wrong.
fn wait_for(events: &Receiver<String>, wanted: &str) -> Result<(), String> {
    match events.recv_timeout(WAIT) {
        Ok(event) if event == wanted => Ok(()),
        Ok(event) => Err(format!("{event} instead of {wanted}")),
        Err(_) => Err(format!("not {wanted} in time")),
    }
}

/// (what the options name as host, the port, the transport)
fn way(url: &str) -> (String, u16, Transport) {
    let (scheme, rest) = url.split_once("://").unwrap();
    let authority = rest.split('/').next().unwrap();
    let (host, port) = authority.rsplit_once(':').unwrap();
    let ca = std::env::var("CAFILE").ok().and_then(|path| std::fs::read(path).ok()).unwrap_or_default();
    let port = port.parse().unwrap();
    match scheme {
        "mqtts" => (host.into(), port, Transport::tls(ca, None, None)),
        "ws" => (url.into(), port, Transport::Ws),
        "wss" => (url.into(), port, Transport::wss(ca, None, None)),
        _ => (host.into(), port, Transport::Tcp),
    }
}

fn connect_three(words: &[&str], events: Sender<String>) -> Client {
    let (host, port, transport) = way(words[1]);
    let mut options = rumqttc::MqttOptions::new(words[3], host, port);
    options.set_transport(transport).set_clean_session(words[4] == "1").set_max_packet_size(LARGEST, LARGEST);
    if words.len() > 6 {
        options.set_last_will(rumqttc::LastWill::new(words[5], encode(words[6]), rumqttc::QoS::AtLeastOnce, false));
    }
    let (client, mut connection) = rumqttc::Client::new(options, 10);
    thread::spawn(move || {
        use rumqttc::{Event, Outgoing, Packet};
        for event in connection.iter() {
            let said = match event {
                Ok(Event::Incoming(Packet::ConnAck(_))) => "connected".into(),
                Ok(Event::Incoming(Packet::SubAck(_))) => "subscribed".into(),
                Ok(Event::Incoming(Packet::PubAck(_) | Packet::PubComp(_))) => "published".into(),
                Ok(Event::Outgoing(Outgoing::Publish(0))) => "published".into(),
                Ok(Event::Incoming(Packet::Publish(p))) => {
                    heard(&p.topic, p.qos as u8, p.retain, &p.payload);
                    continue;
                }
                Ok(_) => continue,
                Err(error) => {
                    let _ = events.send(format!("{error}"));
                    return;
                }
            };
            let _ = events.send(said);
        }
    });
    Client::Three(client)
}

fn connect_five(words: &[&str], events: Sender<String>) -> Client {
    use v5::mqttbytes::v5::{ConnectProperties, LastWill, Packet};
    let (host, port, transport) = way(words[1]);
    let clean = words[4] == "1";
    let mut options = v5::MqttOptions::new(words[3], host, port);
    let mut properties = ConnectProperties::new();
    properties.session_expiry_interval = Some(if clean { 0 } else { 3600 });
    properties.max_packet_size = Some(LARGEST as u32);
    options.set_transport(transport).set_clean_start(clean).set_connect_properties(properties);
    if words.len() > 6 {
        options.set_last_will(LastWill::new(words[5], encode(words[6]), v5::mqttbytes::QoS::AtLeastOnce, false, None));
    }
    let (client, mut connection) = v5::Client::new(options, 10);
    thread::spawn(move || {
        for event in connection.iter() {
            let said = match event {
                Ok(v5::Event::Incoming(Packet::ConnAck(_))) => "connected".into(),
                Ok(v5::Event::Incoming(Packet::SubAck(_))) => "subscribed".into(),
                Ok(v5::Event::Incoming(Packet::PubAck(_) | Packet::PubComp(_))) => "published".into(),
                Ok(v5::Event::Outgoing(rumqttc::Outgoing::Publish(0))) => "published".into(),
                Ok(v5::Event::Incoming(Packet::Publish(p))) => {
                    heard(&String::from_utf8_lossy(&p.topic), p.qos as u8, p.retain, &p.payload);
                    continue;
                }
                Ok(_) => continue,
                Err(error) => {
                    let _ = events.send(format!("{error}"));
                    return;
                }
            };
            let _ = events.send(said);
        }
    });
    Client::Five(client)
}

fn subscribe(client: &Client, filter: &str, qos: u8) -> Result<(), String> {
    match client {
        Client::Three(c) => c.subscribe(filter, rumqttc::qos(qos).unwrap()).map_err(|e| e.to_string()),
        Client::Five(c) => c.subscribe(filter, v5::mqttbytes::qos(qos).unwrap()).map_err(|e| e.to_string()),
    }
}

fn publish(client: &Client, words: &[&str]) -> Result<(), String> {
    let (qos, retain, payload) = (words[2].parse().unwrap(), words[3] == "1", encode(words[4]));
    match client {
        Client::Three(c) => c.publish(words[1], rumqttc::qos(qos).unwrap(), retain, payload).map_err(|e| e.to_string()),
        Client::Five(c) => c.publish(words[1], v5::mqttbytes::qos(qos).unwrap(), retain, payload).map_err(|e| e.to_string()),
    }
}

fn main() {
    let mut client = None;
    let (mut tell, mut events) = channel();
    for line in std::io::stdin().lock().lines() {
        let line = line.unwrap();
        let words: Vec<&str> = line.split_whitespace().collect();
        let (done, said) = match words[0] {
            "connect" => {
                (tell, events) = channel();
                client = Some(if words[2] == "5" { connect_five(&words, tell.clone()) } else { connect_three(&words, tell.clone()) });
                (Ok(()), "connected")
            }
            "subscribe" => (subscribe(client.as_ref().unwrap(), words[1], words[2].parse().unwrap()), "subscribed"),
            "publish" => (publish(client.as_ref().unwrap(), &words), "published"),
            _ => {
                let done = match client.as_ref().unwrap() {
                    Client::Three(c) => c.disconnect().map_err(|e| e.to_string()),
                    Client::Five(c) => c.disconnect().map_err(|e| e.to_string()),
                };
                thread::sleep(Duration::from_millis(200)); // the library writes it behind our back
                println!("{}", if done.is_ok() { "disconnected" } else { "error disconnect" });
                continue;
            }
        };
        match done.and_then(|()| wait_for(&events, said)) {
            Ok(()) => println!("{said}"),
            Err(why) => println!("error {why}"),
        }
    }
}
