import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Properties;
import org.apache.flume.Event;
import org.apache.flume.EventDeliveryException;
import org.apache.flume.api.RpcClient;
import org.apache.flume.api.RpcClientFactory;
import org.apache.flume.event.EventBuilder;

/**
 * Flume's own RPC clients, as a user's program has them. Each line of standard input is a job:
 *
 *     NAME COUNT key=value key=value ...     (properties of RpcClientFactory)
 *
 * It sends COUNT numbered events, by turns with append and in batches, again until each is acknowledged, and says
 * `NAME acknowledged COUNT, refused N` or `NAME failed: ...`.
 */
public class Clients {
  private static final int BATCH = 50;

  public static void main(String[] arguments) throws Exception {
    BufferedReader jobs = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = jobs.readLine(); line != null; line = jobs.readLine()) {
      String[] words = line.trim().split("\\s+");
      try {
        System.out.printf("%s acknowledged %s, refused %d%n", words[0], words[1], job(words));
      } catch (Exception e) {
        System.out.printf("%s failed: %s%n", words[0], e);
        e.printStackTrace();
      }
      System.out.flush();
    }
    System.exit(0); // Some of the clients leave threads behind.
  }

  /** The number of requests that had to be sent again. */
  private static int job(String[] words) throws Exception {
    Properties properties = new Properties();
    for (int i = 2; i < words.length; i++) {
      String[] pair = words[i].split("=", 2);
      // Lists are separated by blanks in Flume.
      properties.setProperty(pair[0], pair[1].replace(',', ' '));
    }
    int count = Integer.parseInt(words[1]);
    int refused = 0;
    boolean single = false;
    RpcClient client = null;
    try {
      for (int number = 0; number < count; single = !single) {
        int size = single ? 1 : Math.min(BATCH, count - number);
        List<Event> events = new ArrayList<>();
        for (int i = 0; i < size; i++) events.add(event(words[0], number + i));
        try {
          if (client == null || !client.isActive()) {
            if (client != null) client.close();
            client = RpcClientFactory.getInstance(properties);
          }
          if (single) client.append(events.get(0)); else client.appendBatch(events);
          number += size;
        } catch (EventDeliveryException | org.apache.flume.FlumeException e) {
          if (++refused > 200) throw e;
          Thread.sleep(50);
        }
      }
    } finally {
      if (client != null) client.close();
    }
    return refused;
  }

  private static Event event(String name, int number) {
    byte[] body = String.format("%07d from %s Grüße", number, name).getBytes(StandardCharsets.UTF_8);
    return EventBuilder.withBody(body, Collections.singletonMap("from", name));
  }
}
