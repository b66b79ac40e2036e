// What AKHQ does with Kafka Connect, by the client it uses (org.sourcelab kafka-connect-client): ConnectClient.java URL TOPIC FILE
import java.util.Map;
import org.sourcelab.kafka.connect.apiclient.Configuration;
import org.sourcelab.kafka.connect.apiclient.KafkaConnectClient;
import org.sourcelab.kafka.connect.apiclient.request.dto.ConnectorDefinition;
import org.sourcelab.kafka.connect.apiclient.request.dto.NewConnectorDefinition;
import org.sourcelab.kafka.connect.apiclient.request.dto.ConnectorPluginConfigDefinition;

public class ConnectClient {
  static void check(boolean condition, String what) {
    if (!condition) {
      System.err.println("FAILED: " + what);
      System.exit(1);
    }
  }

  public static void main(String[] arguments) throws Exception {
    KafkaConnectClient client = new KafkaConnectClient(new Configuration(arguments[0]));
    check(client.getConnectServerVersion().getVersion().startsWith("3."), "version");
    check(
        client.getConnectorPlugins().stream().anyMatch(p -> p.getClassName().endsWith("FileStreamSinkConnector")),
        "plugins");
    Map<String, String> config =
        Map.of("connector.class", "org.apache.kafka.connect.file.FileStreamSinkConnector", "topics", arguments[1], "file", arguments[2],
            "tasks.max", "2");
    check(
        client
                .validateConnectorPluginConfig(new ConnectorPluginConfigDefinition("FileStreamSinkConnector", new java.util.HashMap<>(
                    Map.of("connector.class", "FileStreamSinkConnector", "name", "x", "file", "relative", "topics", "t"))))
                .getErrorCount()
            == 1,
        "validate");
    ConnectorDefinition made =
        client.addConnector(NewConnectorDefinition.newBuilder().withName("akhq").withConfig(config).build());
    check(made.getName().equals("akhq") && made.getType().equals("sink"), "create");
    check(client.getConnectors().contains("akhq"), "list");
    check(client.getConnector("akhq").getConfig().get("file").equals(arguments[2]), "get");
    check(client.getConnectorConfig("akhq").get("tasks.max").equals("2"), "config");
    for (int i = 0; i < 200 && !client.getConnectorStatus("akhq").getTasks().stream().allMatch(t -> t.getState().equals("RUNNING")); ++i) {
      Thread.sleep(20);
    }
    check(client.getConnectorStatus("akhq").getConnector().get("state").equals("RUNNING"), "state");
    check(client.getConnectorTasks("akhq").size() == 2, "tasks");
    check(client.getConnectorTaskStatus("akhq", 1).getState().equals("RUNNING"), "task status");
    check(client.getConnectorsWithExpandedInfo().getAllDefinitions().size() == 1, "expand=info");
    check(client.getConnectorsWithExpandedStatus().getAllStatuses().size() == 1, "expand=status");
    check(client.getConnectorsWithAllExpandedMetadata().getDefinitionForConnector("akhq") != null, "both");
    check(client.getConnectorTopics("akhq").getTopics().contains(arguments[1]), "topics");
    check(client.resetConnectorTopics("akhq"), "topics reset");
    check(client.pauseConnector("akhq"), "pause");
    for (int i = 0; i < 200 && !client.getConnectorStatus("akhq").getConnector().get("state").equals("PAUSED"); ++i) Thread.sleep(20);
    check(client.getConnectorStatus("akhq").getConnector().get("state").equals("PAUSED"), "paused");
    check(client.resumeConnector("akhq"), "resume");
    check(client.restartConnector("akhq"), "restart");
    check(client.restartConnectorTask("akhq", 0), "restart task");
    Map<String, String> changed = new java.util.HashMap<>(config);
    changed.put("tasks.max", "1");
    check(client.updateConnectorConfig("akhq", changed).getConfig().get("tasks.max").equals("1"), "update");
    check(client.deleteConnector("akhq"), "delete");
    check(client.getConnectors().isEmpty(), "gone");
    try {
      client.getConnector("akhq");
      check(false, "a connector that is gone");
    } catch (org.sourcelab.kafka.connect.apiclient.rest.exceptions.ResourceNotFoundException expected) {
      check(expected.getMessage().contains("akhq"), "404");
    }
    System.out.println("every call of the client");
  }
}
