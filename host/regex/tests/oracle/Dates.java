import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import org.joda.time.DateTimeZone;
import org.joda.time.format.DateTimeFormat;
import org.joda.time.format.DateTimeFormatter;

/** Answers "zone TAB parse|format TAB pattern TAB text" lines as Joda-Time does: run with its jar. */
public class Dates {
    static String answer(String[] f) {
        try {
            DateTimeFormatter format = DateTimeFormat.forPattern(f[2]).withZone(DateTimeZone.forID(f[0]));
            if (f[1].equals("parse")) return "" + format.parseDateTime(f[3]).getMillis();
            return format.print(Long.parseLong(f[3]));
        } catch (RuntimeException e) {
            return "error";
        }
    }

    public static void main(String[] args) throws Exception {
        Locale.setDefault(Locale.US);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(System.out, false, "UTF-8");
        for (String line; (line = in.readLine()) != null; )
            out.println(line + "\t" + answer(line.split("\t", -1)));
        out.flush();
    }
}
