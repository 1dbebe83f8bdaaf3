import org.apache.flume.clients.log4jappender.Log4jAppender;
import org.apache.log4j.Logger;
import org.apache.log4j.PatternLayout;

/** Log4j NAME COUNT PORT: logs COUNT numbered lines with the logger NAME to an Avro source. */
public class Log4j {
  public static void main(String[] arguments) {
    Log4jAppender appender = new Log4jAppender();
    appender.setHostname("localhost");
    appender.setPort(Integer.parseInt(arguments[2]));
    appender.setLayout(new PatternLayout("%m"));
    appender.activateOptions();
    Logger logger = Logger.getLogger(arguments[0]);
    logger.setAdditivity(false);
    logger.addAppender(appender);
    for (int number = 0; number < Integer.parseInt(arguments[1]); number++) {
      logger.info(String.format("%07d from %s Grüße", number, arguments[0]));
    }
    appender.close();
    System.exit(0);
  }
}
