import java.util.Arrays;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import software.amazon.dynamodb.services.local.main.ServerRunner;

/** DynamoDB Local on loopback alone: its own command has no option for that and listens on every interface. */
class LoopbackDynamoDB {
    public static void main(String[] options) throws Exception {
        var local = ServerRunner.createServerFromCommandLineArgs(options);
        var field = local.getClass().getDeclaredField("server");
        field.setAccessible(true);
        Arrays.stream(((Server) field.get(local)).getConnectors())
            .forEach(connector -> ((ServerConnector) connector).setHost("127.0.0.1"));
        local.start();
        local.join();
    }
}
