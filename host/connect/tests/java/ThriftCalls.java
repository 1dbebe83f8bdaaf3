import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.flume.Event;
import org.apache.flume.EventDeliveryException;
import org.apache.flume.api.RpcClient;
import org.apache.flume.api.RpcClientFactory;
import org.apache.flume.event.EventBuilder;

/**
 * Clients of real Flume against a source: run by thrift_java.rs with the jars of tests/bench/flume.
 * Arguments: what, port, and key=value for the client's properties.
 */
public class ThriftCalls {
  public static void main(String[] args) throws Exception {
    int port = Integer.parseInt(args[1]);
    switch (args[0]) {
      case "sdk": sdk(port, args); break;
      case "scribe": scribe(port); break;
      case "legacy": legacy(port); break;
      default: throw new IllegalArgumentException(args[0]);
    }
    System.out.println("done");
  }

  private static void sdk(int port, String[] args) throws Exception {
    Properties properties = new Properties();
    properties.setProperty("client.type", "thrift");
    properties.setProperty("hosts", "h1");
    properties.setProperty("hosts.h1", "127.0.0.1:" + port);
    for (int at = 2; at < args.length; at++) {
      String[] pair = args[at].split("=", 2);
      properties.setProperty(pair[0], pair[1]);
    }
    RpcClient client = RpcClientFactory.getInstance(properties);
    Map<String, String> headers = new HashMap<>();
    headers.put("k", "v");
    headers.put("\u00fcmlaut", "gr\u00f6\u00dfe");
    client.append(EventBuilder.withBody("single", StandardCharsets.UTF_8, headers));
    List<Event> batch = new ArrayList<>();
    for (int number = 0; number < 250; number++) {
      Map<String, String> own = new HashMap<>();
      own.put("n", Integer.toString(number));
      batch.add(EventBuilder.withBody(("event " + number).getBytes(StandardCharsets.UTF_8), own));
    }
    client.appendBatch(batch);
    System.out.println("stored");
    // Until there is no room.
    try {
      while (true) {
        client.appendBatch(batch);
      }
    } catch (EventDeliveryException refused) {
      Throwable cause = refused;
      while (cause.getCause() != null) {
        cause = cause.getCause();
      }
      System.out.println("refused: " + cause.getMessage());
    }
    client.close();
  }

  private static void scribe(int port) throws Exception {
    org.apache.thrift.transport.TTransport transport = new org.apache.thrift.transport.layered.TFramedTransport(
        new org.apache.thrift.transport.TSocket("127.0.0.1", port));
    transport.open();
    org.apache.flume.source.scribe.Scribe.Client client = new org.apache.flume.source.scribe.Scribe.Client(
        new org.apache.thrift.protocol.TBinaryProtocol(transport, false, false));
    List<org.apache.flume.source.scribe.LogEntry> entries = new ArrayList<>();
    entries.add(new org.apache.flume.source.scribe.LogEntry("web", "first"));
    entries.add(new org.apache.flume.source.scribe.LogEntry("db", "zweite gr\u00f6\u00dfe"));
    System.out.println(client.Log(entries));
    while (true) {
      org.apache.flume.source.scribe.ResultCode code = client.Log(entries);
      if (code != org.apache.flume.source.scribe.ResultCode.OK) {
        System.out.println(code);
        break;
      }
    }
    transport.close();
  }

  private static void legacy(int port) throws Exception {
    org.apache.thrift.transport.TTransport transport = new org.apache.thrift.transport.TSocket("127.0.0.1", port);
    transport.open();
    com.cloudera.flume.handlers.thrift.ThriftFlumeEventServer.Client client =
        new com.cloudera.flume.handlers.thrift.ThriftFlumeEventServer.Client(
            new org.apache.thrift.protocol.TBinaryProtocol(transport));
    for (int number = 0; number < 100; number++) {
      Map<String, java.nio.ByteBuffer> fields = new HashMap<>();
      fields.put("tag", java.nio.ByteBuffer.wrap("gr\u00f6\u00dfe".getBytes(StandardCharsets.UTF_8)));
      com.cloudera.flume.handlers.thrift.ThriftFlumeEvent event =
          new com.cloudera.flume.handlers.thrift.ThriftFlumeEvent();
      event.setTimestamp(1700000000000L + number);
      event.setPriority(com.cloudera.flume.handlers.thrift.Priority.WARN);
      event.setBody(("old " + number).getBytes(StandardCharsets.UTF_8));
      event.setNanos(number);
      event.setHost("web1");
      event.setFields(fields);
      client.append(event);
    }
    client.close();
    transport.close();
  }
}
