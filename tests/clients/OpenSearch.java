// One node of OpenSearch on loopback: OpenSearch.java FOLDER HTTP_PORT; prints READY and runs until it is killed.
import org.codelibs.opensearch.runner.OpenSearchRunner;

public class OpenSearch {
  public static void main(String[] arguments) throws Exception {
    OpenSearchRunner runner = new OpenSearchRunner();
    runner
        .onBuild(
            (number, settings) -> {
              settings.put("network.host", "127.0.0.1");
              settings.put("http.port", arguments[1]);
              settings.put("transport.port", "0");
              settings.put("discovery.type", "single-node");
              settings.put("cluster.routing.allocation.disk.threshold_enabled", false);
            })
        .build(
            OpenSearchRunner.newConfigs()
                .clusterName("millrace")
                .numOfNode(1)
                .basePath(arguments[0])
                .disableESLogger());
    runner.ensureYellow();
    System.out.println("READY");
    Thread.sleep(Long.MAX_VALUE);
  }
}
