import org.apache.kafka.common.errors.InvalidMetadataException;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.protocol.Errors;

/** Prints every error of the protocol: code, name, whether the official client retries it, whether it refreshes metadata. */
public class ErrorCodes {
    public static void main(String[] none) {
        for (Errors error : Errors.values()) {
            boolean retriable = error.exception() instanceof RetriableException;
            boolean staleMetadata = error.exception() instanceof InvalidMetadataException;
            System.out.println(error.code() + " " + error.name() + " " + retriable + " " + staleMetadata);
        }
    }
}
