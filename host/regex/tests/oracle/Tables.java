import java.io.PrintStream;
import java.lang.reflect.Field;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.IntPredicate;

/**
 * Writes src/java17.tables: what the running Java knows of characters.
 *
 * java --add-opens java.base/java.lang=ALL-UNNAMED Tables.java > ../../src/java17.tables
 */
public class Tables {
    static final PrintStream out = System.out;
    static final int MAX = 0x10FFFF;

    static String ranges(IntPredicate p) {
        StringBuilder sb = new StringBuilder();
        int start = -1;
        for (int c = 0; c <= MAX + 1; c++) {
            boolean in = c <= MAX && p.test(c);
            if (in && start < 0) start = c;
            if (!in && start >= 0) {
                sb.append(' ').append(Integer.toHexString(start));
                if (c - 1 > start) sb.append('-').append(Integer.toHexString(c - 1));
                start = -1;
            }
        }
        return sb.toString();
    }

    static void gc() {
        String[] names = new String[31];
        names[0] = "Cn"; names[1] = "Lu"; names[2] = "Ll"; names[3] = "Lt"; names[4] = "Lm"; names[5] = "Lo";
        names[6] = "Mn"; names[7] = "Me"; names[8] = "Mc"; names[9] = "Nd"; names[10] = "Nl"; names[11] = "No";
        names[12] = "Zs"; names[13] = "Zl"; names[14] = "Zp"; names[15] = "Cc"; names[16] = "Cf"; names[18] = "Co";
        names[19] = "Cs"; names[20] = "Pd"; names[21] = "Ps"; names[22] = "Pe"; names[23] = "Pc"; names[24] = "Po";
        names[25] = "Sm"; names[26] = "Sc"; names[27] = "Sk"; names[28] = "So"; names[29] = "Pi"; names[30] = "Pf";
        for (int t = 0; t < names.length; t++) {
            final int type = t;
            if (names[t] != null) out.println("gc " + names[t] + ranges(c -> Character.getType(c) == type));
        }
    }

    static void bool(String name, IntPredicate p) {
        out.println("is " + name + ranges(p));
    }

    @SuppressWarnings("unchecked")
    static void scripts() throws Exception {
        Field f = Character.UnicodeScript.class.getDeclaredField("aliases");
        f.setAccessible(true);
        Map<Character.UnicodeScript, String> alias = new TreeMap<>();
        for (Map.Entry<String, Character.UnicodeScript> e : ((Map<String, Character.UnicodeScript>) f.get(null)).entrySet())
            alias.merge(e.getValue(), e.getKey(), (a, b) -> a + "|" + b);
        for (Character.UnicodeScript s : Character.UnicodeScript.values()) {
            String names = s.name() + (alias.containsKey(s) ? "|" + alias.get(s) : "");
            out.println("sc " + names + ranges(c -> Character.UnicodeScript.of(c) == s));
        }
    }

    @SuppressWarnings("unchecked")
    static void blocks() throws Exception {
        Field f = Character.UnicodeBlock.class.getDeclaredField("map");
        f.setAccessible(true);
        Map<Character.UnicodeBlock, TreeSet<String>> names = new LinkedHashMap<>();
        for (Map.Entry<String, Character.UnicodeBlock> e : new TreeMap<>((Map<String, Character.UnicodeBlock>) f.get(null)).entrySet())
            names.computeIfAbsent(e.getValue(), k -> new TreeSet<>()).add(e.getKey().replace(' ', '+'));
        Map<Character.UnicodeBlock, int[]> at = new LinkedHashMap<>();
        for (int c = 0; c <= MAX; c++) {
            Character.UnicodeBlock b = Character.UnicodeBlock.of(c);
            if (b == null) continue;
            final int cp = c;
            at.computeIfAbsent(b, k -> new int[] {cp, cp})[1] = c;
        }
        for (Map.Entry<Character.UnicodeBlock, TreeSet<String>> e : names.entrySet()) {
            int[] r = at.get(e.getKey());
            out.println("blk " + String.join("|", e.getValue())
                + (r == null ? "" : " " + Integer.toHexString(r[0]) + "-" + Integer.toHexString(r[1])));
        }
    }

    interface Map1 { int of(int c); }

    /** Runs "first-last:delta", or "first-last/2:delta" where only every second one maps. */
    static void mapping(String name, Map1 m) {
        List<int[]> runs = new ArrayList<>(); // first, last, stride, delta
        for (int c = 0; c <= MAX; c++) {
            int d = m.of(c) - c;
            if (d == 0) continue;
            int[] r = runs.isEmpty() ? null : runs.get(runs.size() - 1);
            boolean single = r != null && r[0] == r[1];
            if (r != null && r[3] == d && (single ? c - r[1] <= 2 : c - r[1] == r[2])) {
                if (single) r[2] = c - r[1];
                r[1] = c;
            } else {
                runs.add(new int[] {c, c, 1, d});
            }
        }
        StringBuilder sb = new StringBuilder("map " + name);
        for (int[] r : runs) {
            sb.append(' ').append(Integer.toHexString(r[0]));
            if (r[1] != r[0]) sb.append('-').append(Integer.toHexString(r[1]));
            if (r[2] == 2) sb.append("/2");
            sb.append(':').append(r[3]);
        }
        out.println(sb);
    }

    public static void main(String[] args) throws Exception {
        out.println("# Written by tests/oracle/Tables.java on Java " + System.getProperty("java.version") + "; do not edit.");
        gc();
        bool("alphabetic", Character::isAlphabetic);
        bool("ideographic", Character::isIdeographic);
        bool("lowercase", Character::isLowerCase);
        bool("uppercase", Character::isUpperCase);
        bool("mirrored", Character::isMirrored);
        bool("unicode_identifier_start", Character::isUnicodeIdentifierStart);
        bool("unicode_identifier_part", Character::isUnicodeIdentifierPart);
        bool("identifier_ignorable", Character::isIdentifierIgnorable);
        mapping("upper", Character::toUpperCase);
        mapping("lower", Character::toLowerCase);
        scripts();
        blocks();
    }
}
