import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;

/** For each line, a pattern: what is left of a text of all characters, as length and FNV-1a hash of its UTF-8. */
public class Properties {
    public static void main(String[] args) throws Exception {
        StringBuilder all = new StringBuilder();
        for (int c = 0; c <= 0x10FFFF; c++)
            if (c < 0xD800 || c > 0xDFFF) all.appendCodePoint(c);
        String text = all.toString();
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line; (line = in.readLine()) != null; ) {
            byte[] left = text.replaceAll(line, "").getBytes(StandardCharsets.UTF_8);
            long hash = 0xcbf29ce484222325L;
            for (byte b : left) hash = (hash ^ (b & 0xff)) * 0x100000001b3L;
            System.out.println(line + "\t" + left.length + "\t" + Long.toHexString(hash));
        }
    }
}
