import java.math.BigDecimal;
import java.sql.Connection;
import java.sql.SQLException;
import org.postgresql.ds.PGSimpleDataSource;
import org.postgresql.util.PSQLException;

public class Main {
  interface Work { void run() throws SQLException; }

  static void refused(Work work) throws SQLException {
    try {
      work.run();
      System.out.println("not refused");
    } catch (PSQLException error) {
      System.out.println(error.getSQLState() + " " + error.getServerErrorMessage().getHint());
    } catch (IllegalStateException error) {
      System.out.println(error.getMessage());
    }
  }

  static int update(Connection connection) throws SQLException {
    try (var update = connection.createStatement()) {
      return update.executeUpdate("update billing.customer set balance = 1 where id = 7");
    }
  }

  public static void main(String[] arguments) throws SQLException {
    var pool = new PGSimpleDataSource();
    pool.setServerNames(new String[] {System.getenv("PGHOST")});
    pool.setPortNumbers(new int[] {Integer.parseInt(System.getenv("PGPORT"))});
    pool.setDatabaseName(System.getenv("PGDATABASE"));
    pool.setUser(System.getenv("PGUSER"));
    // EXAMPLE
    refused(() -> new Acting(null, null, null, null).run(pool, Main::update));
    refused(() -> new Acting("bob", null, null, null).run(pool, Main::update));
    refused(() -> new Acting("bob", null, "x", null).run(pool, connection -> {
      update(connection);
      throw new IllegalStateException("changed my mind");
    }));
    refused(() -> { try (var connection = pool.getConnection()) { update(connection); } });
  }
}
