<?php
require __DIR__ . '/acting.php';

$db = new PDO('pgsql:host=' . getenv('PGHOST') . ';port=' . getenv('PGPORT') . ';dbname=' . getenv('PGDATABASE'), getenv('PGUSER'), null,
    getenv('POOLER') ? [PDO::PGSQL_ATTR_DISABLE_PREPARES => true] : []);

function refused(callable $work): void
{
    try {
        $work();
        echo "not refused\n";
    } catch (PDOException $error) {
        echo $error->errorInfo[0], ' ', preg_match('/HINT: *(.*)/', $error->getMessage(), $hint) ? $hint[1] : '', "\n";
    } catch (RuntimeException $error) {
        echo $error->getMessage(), "\n";
    }
}

$update = fn (PDO $db) => $db->exec('update billing.customer set balance = 1 where id = 7');
$nobody = ['user' => null, 'ip' => null, 'reason' => null, 'request_id' => null];

// EXAMPLE
refused(fn () => acting($db, $nobody, $update));
refused(fn () => acting($db, ['user' => 'bob'] + $nobody, $update));
refused(fn () => acting($db, ['user' => 'bob', 'reason' => 'x'] + $nobody, function (PDO $db) use ($update) {
    $update($db);
    throw new RuntimeException('changed my mind');
}));
refused(fn () => $update($db));
