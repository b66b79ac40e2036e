// HiveMQ's Java client for mqtt_matrix.py (README.md).
import com.hivemq.client.mqtt.MqttClient;
import com.hivemq.client.mqtt.MqttClientBuilder;
import com.hivemq.client.mqtt.MqttClientSslConfig;
import com.hivemq.client.mqtt.MqttGlobalPublishFilter;
import com.hivemq.client.mqtt.MqttWebSocketConfig;
import com.hivemq.client.mqtt.datatypes.MqttQos;
import com.hivemq.client.mqtt.mqtt3.Mqtt3AsyncClient;
import com.hivemq.client.mqtt.mqtt3.message.connect.Mqtt3Connect;
import com.hivemq.client.mqtt.mqtt3.message.publish.Mqtt3Publish;
import com.hivemq.client.mqtt.mqtt5.Mqtt5AsyncClient;
import com.hivemq.client.mqtt.mqtt5.message.connect.Mqtt5Connect;
import com.hivemq.client.mqtt.mqtt5.message.publish.Mqtt5Publish;
import java.io.BufferedReader;
import java.io.FileInputStream;
import java.io.InputStreamReader;
import java.net.URI;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.Arrays;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.TrustManagerFactory;

public class HiveClient {
  private Mqtt3AsyncClient three;
  private Mqtt5AsyncClient five;

  static byte[] encode(String word) {
    if (!word.startsWith("*")) return word.getBytes();
    byte[] payload = new byte[Integer.parseInt(word.substring(1))];
    for (int i = 0; i < payload.length; ++i) payload[i] = (byte) (i % 251);
    return payload;
  }

  static String decode(byte[] payload) {
    if (payload.length < 100) return new String(payload);
    String word = "*" + payload.length;
    return Arrays.equals(payload, encode(word)) ? word : "damaged";
  }

  static synchronized void say(String line) {
    System.out.println(line);
    System.out.flush();
  }

  static void await(CompletableFuture<?> future) throws Exception {
    future.get(30, TimeUnit.SECONDS);
  }

  static void heard(Object topic, MqttQos qos, boolean retain, byte[] payload) {
    say("message " + topic + " " + qos.getCode() + " " + (retain ? 1 : 0) + " " + decode(payload));
  }

  static TrustManagerFactory trust() throws Exception {
    KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
    store.load(null, null);
    try (FileInputStream file = new FileInputStream(System.getenv("CAFILE"))) {
      store.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(file));
    }
    TrustManagerFactory factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    factory.init(store);
    return factory;
  }

  void connect(String[] words) throws Exception {
    URI at = URI.create(words[1]);
    boolean clean = words[4].equals("1");
    MqttClientBuilder builder = MqttClient.builder().identifier(words[3]).serverHost(at.getHost()).serverPort(at.getPort());
    if (at.getScheme().equals("mqtts") || at.getScheme().equals("wss")) {
      builder = builder.sslConfig(MqttClientSslConfig.builder().trustManagerFactory(trust()).build());
    }
    if (at.getScheme().startsWith("ws")) {
      builder = builder.webSocketConfig(MqttWebSocketConfig.builder().serverPath("mqtt").build());
    }
    if (words[2].equals("5")) {
      five = builder.useMqttVersion5().buildAsync();
      five.publishes(MqttGlobalPublishFilter.ALL, m -> heard(m.getTopic(), m.getQos(), m.isRetain(), m.getPayloadAsBytes()));
      var packet = Mqtt5Connect.builder().cleanStart(clean).sessionExpiryInterval(clean ? 0 : 3600);
      if (words.length > 6) {
        packet = packet.willPublish().topic(words[5]).payload(encode(words[6])).qos(MqttQos.AT_LEAST_ONCE).applyWillPublish();
      }
      await(five.connect(packet.build()));
    } else {
      three = builder.useMqttVersion3().buildAsync();
      three.publishes(MqttGlobalPublishFilter.ALL, m -> heard(m.getTopic(), m.getQos(), m.isRetain(), m.getPayloadAsBytes()));
      var packet = Mqtt3Connect.builder().cleanSession(clean);
      if (words.length > 6) {
        packet = packet.willPublish().topic(words[5]).payload(encode(words[6])).qos(MqttQos.AT_LEAST_ONCE).applyWillPublish();
      }
      await(three.connect(packet.build()));
    }
  }

  void subscribe(String filter, MqttQos qos) throws Exception {
    if (five != null) {
      await(five.subscribeWith().topicFilter(filter).qos(qos).send());
    } else {
      await(three.subscribeWith().topicFilter(filter).qos(qos).send());
    }
  }

  void publish(String topic, MqttQos qos, boolean retain, byte[] payload) throws Exception {
    if (five != null) {
      await(five.publish(Mqtt5Publish.builder().topic(topic).qos(qos).retain(retain).payload(payload).build()));
    } else {
      await(three.publish(Mqtt3Publish.builder().topic(topic).qos(qos).retain(retain).payload(payload).build()));
    }
  }

  public static void main(String[] arguments) throws Exception {
    HiveClient client = new HiveClient();
    BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
    for (String line = input.readLine(); line != null; line = input.readLine()) {
      String[] words = line.trim().split("\\s+");
      try {
        switch (words[0]) {
          case "connect":
            client.connect(words);
            say("connected");
            break;
          case "subscribe":
            client.subscribe(words[1], MqttQos.fromCode(Integer.parseInt(words[2])));
            say("subscribed");
            break;
          case "publish":
            client.publish(words[1], MqttQos.fromCode(Integer.parseInt(words[2])), words[3].equals("1"), encode(words[4]));
            say("published");
            break;
          case "disconnect":
            await(client.five != null ? client.five.disconnect() : client.three.disconnect());
            say("disconnected");
            break;
          default:
            say("error no such command");
        }
      } catch (Exception failure) {
        say("error " + failure);
      }
    }
    System.exit(0);
  }
}
