import java.io.BufferedReader;
import java.io.FileInputStream;
import java.io.InputStreamReader;
import java.security.KeyStore;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLServerSocket;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;

/**
 * The other side of tests/peers.rs, with Java's own TLS.
 *
 * <p>client KEYSTORE|- TRUSTSTORE PASSWORD PORT...: to each port a line, and what was agreed upon is printed.
 * server KEYSTORE TRUSTSTORE|- PASSWORD COUNT: prints its port, echoes a line of each connection; with a trust store
 * it asks for client certificates.
 */
public class Peer {
    public static void main(String[] args) throws Exception {
        char[] password = args[3].toCharArray();
        KeyManagerFactory keys = null;
        if (!args[1].equals("-")) {
            keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
            keys.init(load(args[1], password), password);
        }
        TrustManagerFactory trust = null;
        if (!args[2].equals("-")) {
            trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
            trust.init(load(args[2], password));
        }
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(keys == null ? null : keys.getKeyManagers(), trust == null ? null : trust.getTrustManagers(), null);
        if (args[0].equals("client")) {
            for (int i = 4; i < args.length; i++) {
                client((SSLSocket) context.getSocketFactory().createSocket("localhost", Integer.parseInt(args[i])));
            }
            return;
        }
        try (SSLServerSocket server = (SSLServerSocket) context.getServerSocketFactory().createServerSocket(0)) {
            server.setNeedClientAuth(trust != null);
            System.out.println(server.getLocalPort());
            for (int i = 0; i < Integer.parseInt(args[4]); i++) {
                try (SSLSocket socket = (SSLSocket) server.accept()) {
                    String line = reader(socket).readLine();
                    socket.getOutputStream().write((line + "\n").getBytes());
                    System.out.println(agreed(socket));
                } catch (java.io.IOException e) {
                    System.out.println("failed: " + e.getMessage());
                }
            }
        }
    }

    static void client(SSLSocket socket) {
        try (socket) {
            javax.net.ssl.SSLParameters parameters = socket.getSSLParameters();
            parameters.setEndpointIdentificationAlgorithm("HTTPS");
            socket.setSSLParameters(parameters);
            socket.getOutputStream().write("hello\n".getBytes());
            String line = reader(socket).readLine();
            System.out.println("hello".equals(line) ? agreed(socket) : "failed: answer " + line);
        } catch (java.io.IOException e) {
            System.out.println("failed: " + e.getMessage());
        }
    }

    static BufferedReader reader(SSLSocket socket) throws java.io.IOException {
        return new BufferedReader(new InputStreamReader(socket.getInputStream()));
    }

    static String agreed(SSLSocket socket) {
        return socket.getSession().getProtocol() + " " + socket.getSession().getCipherSuite();
    }

    static KeyStore load(String file, char[] password) throws Exception {
        KeyStore store = KeyStore.getInstance("JKS");
        try (FileInputStream in = new FileInputStream(file)) {
            store.load(in, password);
        }
        return store;
    }
}
