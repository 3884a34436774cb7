package org.apache.iceberg.rest;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.apache.iceberg.Table;
import org.apache.iceberg.catalog.TableIdentifier;
import org.apache.iceberg.exceptions.NotFoundException;
import org.apache.iceberg.inmemory.InMemoryCatalog;
import org.apache.iceberg.inmemory.InMemoryFileIO;
import org.apache.iceberg.rest.HTTPRequest.HTTPMethod;
import org.apache.iceberg.rest.responses.ErrorResponse;

/**
 * Iceberg's own REST catalogue, that of its compatibility kit, over HTTP, with
 * its tables in memory.
 *
 * Argument: a token that requests must have. Prints the port that it listens at.
 */
public class RestCatalogServer {
    /** Catalogues of Iceberg's own can't replace a table yet, other servers do. */
    private static class ReplacingCatalog extends InMemoryCatalog {
        @Override
        public Table registerTable(TableIdentifier name, String metadata, boolean overwrite) {
            try {
                // Its own files are in memory, those that it is told of on the disk.
                byte[] content = Files.readAllBytes(Path.of(URI.create(metadata)));
                new InMemoryFileIO().addFile(metadata, content);
            } catch (IOException error) {
                throw new NotFoundException(error, "No metadata at %s", metadata);
            }
            if (overwrite) dropTable(name, false);
            return super.registerTable(name, metadata);
        }

        @Override
        public Table registerTable(TableIdentifier name, String metadata) {
            return registerTable(name, metadata, false);
        }
    }

    private final RESTCatalogAdapter adapter;
    private final String token;
    private final ObjectMapper mapper = RESTObjectMapper.mapper();

    RestCatalogServer(String token) {
        InMemoryCatalog catalog = new ReplacingCatalog();
        catalog.initialize("test", Map.of());
        this.adapter = new RESTCatalogAdapter(catalog);
        this.token = token;
    }

    public static void main(String[] args) throws IOException {
        RestCatalogServer server = new RestCatalogServer(args[0]);
        HttpServer http = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
        http.createContext("/", server::answer);
        http.start();
        System.out.println(http.getAddress().getPort());
    }

    private void answer(HttpExchange exchange) throws IOException {
        try (exchange) {
            String expected = "Bearer " + token;
            if (!expected.equals(exchange.getRequestHeaders().getFirst("Authorization"))) {
                send(exchange, 401, ErrorResponse.builder().responseCode(401)
                    .withType("NotAuthorizedException").withMessage("Not signed in").build());
                return;
            }
            try {
                Object response = handle(exchange);
                send(exchange, response == null ? 204 : 200, response);
            } catch (Exception error) {
                ErrorResponse.Builder builder = ErrorResponse.builder();
                RESTCatalogAdapter.configureResponseFromException(error, builder);
                ErrorResponse response = builder.build();
                send(exchange, response.code(), response);
            }
        }
    }

    private Object handle(HttpExchange exchange) throws IOException {
        URI uri = exchange.getRequestURI();
        HTTPMethod method = HTTPMethod.valueOf(exchange.getRequestMethod());
        String path = uri.getPath().substring(1);
        var found = Route.from(method, path);
        if (found == null) throw new UnsupportedOperationException("No route for " + method + " " + uri);
        Route route = found.first();
        Map<String, String> query = new HashMap<>();
        if (uri.getRawQuery() != null) {
            for (String pair : uri.getRawQuery().split("&")) {
                String[] parts = pair.split("=", 2);
                query.put(parts[0], URLDecoder.decode(parts[1], StandardCharsets.UTF_8));
            }
        }
        byte[] bytes = exchange.getRequestBody().readAllBytes();
        Object body = route.requestClass() == null || bytes.length == 0
            ? null
            : mapper.readValue(bytes, route.requestClass());
        Map<String, String> variables = new HashMap<>(found.second());
        variables.putAll(query);
        HTTPRequest request = ImmutableHTTPRequest.builder().baseUri(URI.create("http://localhost"))
            .method(method).path(path).queryParameters(query).body(body).build();
        return adapter.handleRequest(route, variables, request, route.responseClass(), headers -> {});
    }

    private void send(HttpExchange exchange, int status, Object response) throws IOException {
        byte[] bytes = response == null ? new byte[0] : mapper.writeValueAsBytes(response);
        exchange.getResponseHeaders().set("Content-Type", "application/json");
        exchange.sendResponseHeaders(status, bytes.length == 0 ? -1 : bytes.length);
        exchange.getResponseBody().write(bytes);
    }
}
