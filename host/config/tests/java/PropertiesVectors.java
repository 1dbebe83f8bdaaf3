// Writes what java.util.Properties reads from small odd texts: run `java PropertiesVectors.java > properties.tsv`.
// A row is the text, then `key=value` of every entry (trimmed as Flume trims), or MALFORMED.
// Every character outside [A-Za-z0-9 ] is written as %XXXX.
import java.io.StringReader;
import java.util.*;

public class PropertiesVectors {
  static final String[] TOKENS = {
    "a", "b.c", "k", "v", "=", "=", ":", " ", " ", "\t", "\f", "\\", "\\\\", "\n", "\n", "\r", "\r\n", "#", "!", "\\u0041",
    "\\u00", "\\ud83d", "\\ude00", "\\t", "\\n", "\\=", "\\ ", "\\#", "\u00e9", "\u6587", "\\\n", "\\\r\n", "\u000b", "\u00a0", "// x",
  };
  static final String[] WRITTEN = {
    "a=b", "a = b  ", "a:b", "a b", "a", "", "\\", "a\\", "a=b\\", "a=\\\n   b", "a=b\\\n\n c=d", "a=b\\\n#c", "# x\\\na=b", "  # x\na=b",
    "! x\n!y=z", "a\\=b=c", "a\\:b:c", "a\\ b c", "a = b = c", "a ==b", "a = :b", "a : = b", "a=b # c", "a\t=\tb", "\fa=b",
    "a=\\u00e9", "a=\\uD83D\\uDE00", "a=\\u12", "a=\\u12g4", "a\\u003db=c", "a=\\t\\n\\r\\f\\q\\\\d", "a=1\na=2", "a=1\r\na.b=2\rc=3",
    "\\\n# x\na=b", "\\\n\na=b", "a\\\n  = b", "a=b\\\\\nc=d", "a=b\\\\\\\nc=d", "a=b\\\r\nc", "a=b\\\r\rc=d", "=b", ":b", " =b", "a=",
    "a.b.c = \\\n  d, \\\n  e", "\u6307\u5b9a\u522b\u540d", "a=\u00a0b", "a\u00a0b", "a=b\u2028c", "a=b\u0085c=d", "a=b\u0000",
  };
  static String esc(String s) {
    StringBuilder out = new StringBuilder();
    for (int i = 0; i < s.length(); i++) {
      char c = s.charAt(i);
      boolean lone = Character.isHighSurrogate(c) && !(i + 1 < s.length() && Character.isLowSurrogate(s.charAt(i + 1)))
          || Character.isLowSurrogate(c) && !(i > 0 && Character.isHighSurrogate(s.charAt(i - 1)));
      if (lone) c = '\ufffd';
      if (c < 128 && Character.isLetterOrDigit(c) || c == ' ') out.append(c);
      else out.append(String.format("%%%04X", (int) c));
    }
    return out.toString();
  }
  static void row(String text) throws Exception {
    Properties p = new Properties();
    try {
      p.load(new StringReader(text));
    } catch (IllegalArgumentException e) {
      System.out.println(esc(text) + "\tMALFORMED");
      return;
    }
    TreeMap<String, String> trimmed = new TreeMap<>();
    for (String k : p.stringPropertyNames())
      if (trimmed.put(esc(k.trim()), esc(p.getProperty(k).trim())) != null) return; // which one wins is up to the hash order
    StringBuilder out = new StringBuilder(esc(text));
    trimmed.forEach((k, v) -> out.append('\t').append(k).append('=').append(v));
    System.out.println(out);
  }
  public static void main(String[] args) throws Exception {
    for (String text : WRITTEN) row(text);
    Random random = new Random(20260101);
    for (int i = 0; i < 1500; i++) {
      StringBuilder text = new StringBuilder();
      for (int n = random.nextInt(14) + 1; n > 0; n--) text.append(TOKENS[random.nextInt(TOKENS.length)]);
      row(text.toString());
    }
  }
}
