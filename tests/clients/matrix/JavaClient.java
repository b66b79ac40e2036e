// kafka-clients for kafka_matrix.py, old and new: produce BOOTSTRAP TOPIC CODEC FROM COUNT | consume BOOTSTRAP TOPIC GROUP.
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.*;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.*;

public class JavaClient {
  static void produce(String[] a) throws Exception {
    Properties p = new Properties();
    p.put("bootstrap.servers", a[1]);
    p.put("acks", "all");
    p.put("enable.idempotence", "true");
    p.put("compression.type", a[3]);
    try (KafkaProducer<String, String> producer = new KafkaProducer<>(p, new StringSerializer(), new StringSerializer())) {
      List<java.util.concurrent.Future<RecordMetadata>> sent = new ArrayList<>();
      int first = Integer.parseInt(a[4]), count = Integer.parseInt(a[5]);
      for (int i = first; i < first + count; i++) {
        ProducerRecord<String, String> r = new ProducerRecord<>(a[2], "k" + i % 20, "v" + i);
        r.headers().add("codec", a[3].getBytes(StandardCharsets.UTF_8));
        sent.add(producer.send(r));
      }
      for (java.util.concurrent.Future<RecordMetadata> f : sent) f.get();
    }
  }

  static void consume(String[] a) {
    Properties p = new Properties();
    p.put("bootstrap.servers", a[1]);
    p.put("group.id", a[3]);
    p.put("enable.auto.commit", "false");
    p.put("auto.offset.reset", "earliest");
    p.put("session.timeout.ms", "10000");
    p.put("heartbeat.interval.ms", "500");
    KafkaConsumer<String, String> consumer = new KafkaConsumer<>(p, new StringDeserializer(), new StringDeserializer());
    Thread main = Thread.currentThread();
    Runtime.getRuntime().addShutdownHook(new Thread(() -> {
      consumer.wakeup();
      try { main.join(10000); } catch (InterruptedException ignored) { }
    }));
    try {
      consumer.subscribe(Collections.singleton(a[2]), new ConsumerRebalanceListener() {
        public void onPartitionsRevoked(Collection<TopicPartition> gone) { }
        public void onPartitionsAssigned(Collection<TopicPartition> mine) {
          say("assigned " + mine.stream().map(t -> "" + t.partition()).collect(Collectors.joining(",")));
        }
      });
      while (true) {
        ConsumerRecords<String, String> records = consumer.poll(Duration.ofMillis(200));
        for (ConsumerRecord<String, String> r : records) {
          String codec = new String(r.headers().lastHeader("codec").value(), StandardCharsets.UTF_8);
          say("record " + r.partition() + " " + r.offset() + " " + r.key() + " " + r.value() + " " + codec);
        }
        try {
          if (!records.isEmpty()) consumer.commitSync();
        } catch (CommitFailedException | org.apache.kafka.common.errors.RetriableException e) {
          say("commit " + e.getClass().getSimpleName());
        }
      }
    } catch (WakeupException stop) {
      consumer.close();
    }
  }

  static void say(String line) {
    System.out.println(line);
    System.out.flush();
  }

  public static void main(String[] a) throws Exception {
    if (a[0].equals("produce")) produce(a); else consume(a);
  }
}
