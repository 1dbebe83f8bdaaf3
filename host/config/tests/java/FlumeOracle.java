// Prints what Flume keeps of each *.properties file of the folders given, as rows of EXPECTED.tsv.
// Run with the jars of Flume 1.11 on the class path: java -cp "$FLUME_LIB/*" FlumeOracle.java ../fixtures
import org.apache.flume.conf.*;
import java.util.*; import java.io.*; import java.nio.file.*; import java.nio.charset.*;
public class FlumeOracle {
  static String clean(String s) { return s.replaceAll("\\p{Cntrl}", "?"); }
  static String sorted(Set<String> s){ return clean(String.join(" ", new TreeSet<>(s))); }
  public static void main(String[] a) throws Exception {
    PrintStream out = new PrintStream(new FileOutputStream(FileDescriptor.out), false, "UTF-8");
    for (String f : a) {
      List<Path> files = new ArrayList<>();
      Path p = Paths.get(f);
      if (Files.isDirectory(p)) { try (var s = Files.list(p)) { s.filter(x->x.toString().endsWith(".properties")).sorted().forEach(files::add);} } else files.add(p);
      for (Path q : files) {
        String name = q.getFileName().toString();
        try {
          Properties props = new Properties();
          byte[] bytes = Files.readAllBytes(q);
          String text;
          try { text = StandardCharsets.UTF_8.newDecoder().decode(java.nio.ByteBuffer.wrap(bytes)).toString(); }
          catch (CharacterCodingException e) { text = new String(bytes, StandardCharsets.ISO_8859_1); }
          props.load(new StringReader(text));
          Set<String> names = new TreeSet<>();
          Map<String,String> map = new HashMap<>();
          for (String k : props.stringPropertyNames()) { map.put(k, props.getProperty(k)); }
          Set<String> trimmed = new HashSet<>();
          for (String k : map.keySet()) trimmed.add(k.trim());
          if (trimmed.size() < map.size()) throw new Exception("two keys are one after trimming; the hash order decides");
          FlumeConfiguration fc = new FlumeConfiguration(map);
          for (String k : map.keySet()) { String n=k.trim(); int i=n.indexOf('.'); if(i>0 && i+1<n.length() && !map.get(k).trim().isEmpty()) names.add(n.substring(0,i)); }
          for (String n : names) {
            var ac = fc.getConfigurationFor(n);
            if (ac == null) out.println(name+"\t"+clean(n)+"\tREMOVED");
            else out.println(name+"\t"+clean(n)+"\tok\t"+sorted(ac.getSourceSet())+"\t"+sorted(ac.getChannelSet())+"\t"+sorted(ac.getSinkSet())+"\t"+sorted(ac.getSinkgroupSet()));
          }
          List<String> errs = new ArrayList<>();
          for (FlumeConfigurationError e : fc.getConfigurationErrors()) errs.add(e.getErrorType()+":"+e.getComponentName()+(e.getKey()==null||e.getKey().isEmpty()?"":"/"+e.getKey())+":"+(e.getErrorOrWarning().toString().equals("ERROR")?"e":"w"));
          Collections.sort(errs);
          out.println(name+"\tERR\t"+clean(String.join(" | ", errs)));
        } catch (Throwable t) { out.println(name+"\tTHROWS\t"+t); }
      }
    }
    out.flush();
  }
}
