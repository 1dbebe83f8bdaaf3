import com.cloudera.flume.handlers.avro.AvroFlumeOGEvent;
import com.cloudera.flume.handlers.avro.FlumeOGEventAvroServer;
import com.cloudera.flume.handlers.avro.Priority;
import java.net.URL;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Collections;
import org.apache.avro.Protocol;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.ipc.HttpTransceiver;
import org.apache.avro.ipc.generic.GenericRequestor;
import org.apache.avro.ipc.specific.SpecificRequestor;

/**
 * Sends numbered events as agents of Flume 0.9 do, with Flume's own classes for them: `NAME COUNT PORT known`, or with a
 * protocol whose hash no server has, which is told in the handshake: `NAME COUNT PORT stranger`.
 */
public class Legacy {
  public static void main(String[] arguments) throws Exception {
    String name = arguments[0];
    int count = Integer.parseInt(arguments[1]);
    HttpTransceiver wire = new HttpTransceiver(new URL("http://127.0.0.1:" + arguments[2] + "/"));
    if (arguments[3].equals("known")) {
      FlumeOGEventAvroServer server = SpecificRequestor.getClient(FlumeOGEventAvroServer.class, wire);
      for (int number = 0; number < count; number++) server.append(event(name, number));
    } else {
      Protocol own = FlumeOGEventAvroServer.PROTOCOL;
      Protocol stranger = Protocol.parse(own.toString().replace("\"messages\":{", "\"messages\":{\"close\":{\"request\":[],\"response\":\"null\"},"));
      if (java.util.Arrays.equals(own.getMD5(), stranger.getMD5())) throw new IllegalStateException("the same hash");
      GenericRequestor requestor = new GenericRequestor(stranger, wire);
      for (int number = 0; number < count; number++) {
        GenericRecord request = new GenericData.Record(stranger.getMessages().get("append").getRequest());
        request.put("evt", event(name, number));
        requestor.request("append", request);
      }
    }
    System.exit(0);
  }

  private static AvroFlumeOGEvent event(String name, int number) {
    byte[] body = String.format("%07d from %s Grüße", number, name).getBytes(StandardCharsets.UTF_8);
    ByteBuffer from = ByteBuffer.wrap(name.getBytes(StandardCharsets.UTF_8));
    long now = System.currentTimeMillis();
    return new AvroFlumeOGEvent(now, Priority.INFO, ByteBuffer.wrap(body), 1L, "web1", Collections.singletonMap("from", from));
  }
}
