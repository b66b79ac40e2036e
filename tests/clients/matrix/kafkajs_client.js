// kafkajs for kafka_matrix.py: produce BOOTSTRAP TOPIC CODEC FROM COUNT | consume BOOTSTRAP TOPIC GROUP.
const { Kafka, CompressionTypes, logLevel } = require('kafkajs');

const [, , verb, bootstrap, topic, ...rest] = process.argv;
const kafka = new Kafka({ clientId: 'kafkajs', brokers: [bootstrap], logLevel: logLevel.NOTHING, retry: { retries: 60, maxRetryTime: 1000 } });

async function produce(codec, first, count) {
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 });
  await producer.connect();
  const messages = [];
  for (let i = +first; i < +first + +count; i++) messages.push({ key: `k${i % 20}`, value: `v${i}`, headers: { codec } });
  await producer.send({ topic, messages, acks: -1, compression: codec === 'gzip' ? CompressionTypes.GZIP : CompressionTypes.None });
  await producer.disconnect();
}

async function consume(groupId) {
  const consumer = kafka.consumer({ groupId, sessionTimeout: 10000, heartbeatInterval: 500, retry: { retries: 60, maxRetryTime: 1000 } });
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => console.log('assigned', (payload.memberAssignment[topic] || []).join(',')));
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({
    autoCommitThreshold: 1,
    eachMessage: async ({ partition, message }) =>
      console.log('record', partition, message.offset, message.key.toString(), message.value.toString(), message.headers.codec.toString()),
  });
  process.on('SIGTERM', async () => { await consumer.disconnect(); process.exit(0); });
}

({ produce, consume })[verb](...rest).catch((error) => { console.error(error); process.exit(1); });
