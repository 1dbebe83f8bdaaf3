import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/**
 * Answers "pattern TAB text TAB replacement" lines as java.util.regex does.
 *
 * Each line of the answer is the question, then either "error TAB description", or the groups of
 * the first find() as byte spans ("none" without a match), whether matches() holds, and the text of
 * replaceAll (or "error: ..."). Bytes below 0x21, '%' and 0x7f are written as %XX in all fields.
 */
public class Regex {
    static String decode(String field) {
        byte[] in = field.getBytes(StandardCharsets.UTF_8);
        java.io.ByteArrayOutputStream out = new java.io.ByteArrayOutputStream();
        for (int i = 0; i < in.length; i++) {
            if (in[i] == '%') {
                out.write(Integer.parseInt(field.length() == in.length ? field.substring(i + 1, i + 3)
                    : new String(in, i + 1, 2, StandardCharsets.US_ASCII), 16));
                i += 2;
            } else {
                out.write(in[i]);
            }
        }
        return new String(out.toByteArray(), StandardCharsets.UTF_8);
    }

    static String encode(String text) {
        StringBuilder sb = new StringBuilder();
        for (char c : text.toCharArray())
            if (c < 0x21 || c == '%' || c == 0x7f) sb.append(String.format("%%%02x", (int) c));
            else sb.append(c);
        return sb.toString();
    }

    static int bytes(String text, int chars) {
        return text.substring(0, chars).getBytes(StandardCharsets.UTF_8).length;
    }

    static String answer(String pattern, String text, String replacement) {
        Pattern p;
        try {
            p = Pattern.compile(pattern);
        } catch (PatternSyntaxException e) {
            return "error\t" + encode(e.getDescription());
        }
        try {
            Matcher m = p.matcher(text);
            StringBuilder sb = new StringBuilder();
            if (m.find()) {
                for (int g = 0; g <= m.groupCount(); g++) {
                    if (g > 0) sb.append(',');
                    if (m.start(g) < 0) sb.append('-');
                    else sb.append(bytes(text, m.start(g))).append('-').append(bytes(text, m.end(g)));
                }
            } else {
                sb.append("none");
            }
            sb.append('\t').append(p.matcher(text).matches()).append('\t');
            try {
                sb.append(encode(p.matcher(text).replaceAll(replacement)));
            } catch (IllegalArgumentException | IndexOutOfBoundsException e) {
                sb.append("error:%20").append(encode(e.getMessage()));
            }
            return sb.toString();
        } catch (StackOverflowError e) {
            return "overflow";
        }
    }

    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(System.out, false, "UTF-8");
        for (String line; (line = in.readLine()) != null; ) {
            if (line.isEmpty() || line.startsWith("# ")) continue;
            String[] f = line.split("\t", -1);
            out.println(f[0] + "\t" + f[1] + "\t" + f[2] + "\t" + answer(decode(f[0]), decode(f[1]), decode(f[2])));
        }
        out.flush();
    }
}
