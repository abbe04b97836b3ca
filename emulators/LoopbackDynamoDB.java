import java.util.Arrays;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import software.amazon.dynamodb.services.local.main.ServerRunner;

/** DynamoDB Local on the loopback interface only; its own command listens on every interface and has no option. */
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
