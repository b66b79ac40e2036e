// MQTT.js for mqtt_matrix.py (README.md).
const fs = require('fs');
const readline = require('readline');
const mqtt = require('mqtt');

const encode = (word) => word.startsWith('*') ? Buffer.from(Array.from({length: +word.slice(1)}, (_, i) => i % 251)) : Buffer.from(word);
const decode = (payload) => {
  if (payload.length < 100) return payload.toString();
  return payload.equals(encode('*' + payload.length)) ? '*' + payload.length : 'damaged';
};
const say = (...words) => process.stdout.write(words.join(' ') + '\n');
let client;

const verbs = {
  async connect(url, level, id, clean, willTopic, willPayload) {
    const options = {protocolVersion: +level, clientId: id, clean: clean === '1', reconnectPeriod: 0, resubscribe: false};
    if (process.env.CAFILE) options.ca = fs.readFileSync(process.env.CAFILE);
    if (level === '5') options.properties = {sessionExpiryInterval: clean === '1' ? 0 : 3600};
    if (willTopic) options.will = {topic: willTopic, payload: encode(willPayload), qos: 1, retain: false};
    client = mqtt.connect(url, options);
    client.on('message', (topic, payload, packet) => say('message', topic, packet.qos, packet.retain ? 1 : 0, decode(payload)));
    await new Promise((resolve, reject) => client.once('connect', resolve).once('error', reject));
    client.on('error', () => {});
    return 'connected';
  },
  async subscribe(filter, qos) {
    await client.subscribeAsync(filter, {qos: +qos});
    return 'subscribed';
  },
  async publish(topic, qos, retain, payload) {
    await client.publishAsync(topic, encode(payload), {qos: +qos, retain: retain === '1'});
    return 'published';
  },
  async disconnect() {
    await client.endAsync();
    return 'disconnected';
  },
};

let before = Promise.resolve();
readline.createInterface({input: process.stdin}).on('line', (line) => {
  const [verb, ...words] = line.trim().split(/\s+/);
  before = before.then(() => verbs[verb](...words)).then(say, (error) => say('error', error.message));
}).on('close', () => before.then(() => process.exit(0)));
