// aws/event-ruler on the rules and the very messages of rules_bench's BM_ManyRules (FOLDER/messages-N.jsonl): N rules on one stream,
// each about one device and a least speed. One thread, its CPU time. Prints, per N: messages a second, the median of five
// rounds behind two for the compiler; bytes of heap a rule; how many rules the messages matched, which must be as many as here.
//   mvn -q -f bench/rules_peer compile exec:java -Dexec.mainClass=RulesPeer -Dexec.args="FOLDER 1000 10000 100000"
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import software.amazon.event.ruler.Machine;

public class RulesPeer {
  public static void main(String[] words) throws Exception {
    System.out.println("name aws/event-ruler 1.7.3, Java " + System.getProperty("java.version"));
    ThreadMXBean cpu = ManagementFactory.getThreadMXBean();
    for (String word : Arrays.copyOfRange(words, 1, words.length)) {
      int rules = Integer.parseInt(word);
      List<String> messages = Files.readAllLines(Path.of(words[0], "messages-" + rules + ".jsonl"));
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
      long matched = 0;
      for (String message : messages) matched += machine.rulesForJSONEvent(message).size();
      double[] rates = new double[7];
      for (int round = 0; round < rates.length; round++) {
        long begin = cpu.getCurrentThreadCpuTime();
        long count = 0;
        while (cpu.getCurrentThreadCpuTime() - begin < 1_000_000_000L) {
          for (String message : messages) machine.rulesForJSONEvent(message);
          count += messages.size();
        }
        rates[round] = count * 1e9 / (cpu.getCurrentThreadCpuTime() - begin);
      }
      double[] kept = Arrays.copyOfRange(rates, 2, rates.length);
      Arrays.sort(kept);
      System.out.printf("%d %.0f %d %d%n", rules, kept[kept.length / 2], bytes / rules, matched);
    }
  }
}
