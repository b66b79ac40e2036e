// aws/event-ruler on the rules and messages of rules_bench's BM_ManyRules: N rules on one stream, each about one device and a
// least speed. One thread, its CPU time. Prints messages a second: the median of five rounds behind two for the compiler.
//   mvn -q -f bench/rules_peer compile exec:java -Dexec.mainClass=RulesPeer -Dexec.args="1000 10000 100000"
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.util.Arrays;
import java.util.Random;
import software.amazon.event.ruler.Machine;

public class RulesPeer {
  public static void main(String[] words) throws Exception {
    ThreadMXBean cpu = ManagementFactory.getThreadMXBean();
    for (String word : words) {
      int rules = Integer.parseInt(word);
      Runtime runtime = Runtime.getRuntime();
      System.gc();
      long before = runtime.totalMemory() - runtime.freeMemory();
      Machine machine = new Machine();
      for (int i = 0; i < rules; i++) {
        String speed = String.format("\"speed\":[{\"numeric\":[\">=\",%d]}]", i % 20);
        machine.addRule("alert_" + i, String.format("{\"device_no\":[\"T%08d\"],%s}", i, speed));
      }
      System.gc();
      long bytes = runtime.totalMemory() - runtime.freeMemory() - before;
      Random random = new Random(2);
      String[] messages = new String[4096];
      for (int i = 0; i < messages.length; i++) {
        int device = random.nextInt(rules + rules / 64 + 1);
        messages[i] = String.format("{\"device_no\":\"T%08d\",\"type\":\"gps\",\"seq\":%d,\"lat\":35.%06d,\"lon\":127.%06d,"
            + "\"speed\":%d,\"heading\":%d,\"fuel\":%d,\"rpm\":%d,\"temp\":%d,\"msg\":\"periodic report\"}", device, i,
            random.nextInt(1000000), random.nextInt(1000000), random.nextInt(130), random.nextInt(360), random.nextInt(100),
            random.nextInt(6000), random.nextInt(45));
      }
      double[] rates = new double[7];
      long found = 0;
      for (int round = 0; round < rates.length; round++) {
        long begin = cpu.getCurrentThreadCpuTime();
        long count = 0;
        while (cpu.getCurrentThreadCpuTime() - begin < 1_000_000_000L) {
          for (String message : messages) found += machine.rulesForJSONEvent(message).size();
          count += messages.length;
        }
        rates[round] = count * 1e9 / (cpu.getCurrentThreadCpuTime() - begin);
      }
      double[] kept = Arrays.copyOfRange(rates, 2, rates.length);
      Arrays.sort(kept);
      System.out.printf("%d rules: %.0f messages a second, %d bytes a rule (%d found)%n", rules, kept[kept.length / 2],
          bytes / rules, found);
    }
  }
}
