<?php
// Three handles, and one way in which each may end: `php cells.php CELL`. See tests/e2e/runtimes.

const COUNT = 3;

class Holder {
    public $db, $self;
    function __construct($db) {
        $this->db = $db;
        $this->self = $this;
    }
}

function kept() {
    global $kept;
    $kept[] = new PDO('sqlite::memory:'); // site: kept
}

function collected() {
    new Holder(new PDO('sqlite::memory:')); // site: collected
    gc_collect_cycles();
}

function scope_end() {
    $db = new PDO('sqlite::memory:'); // site: scope_end
    $db->query('select 1')->fetchAll();
}

function closed() {
    $db = new SQLite3(':memory:'); // site: closed
    $db->close();
}

function closed_at_exit() {
    $db = new SQLite3(':memory:'); // site: closed_at_exit
    register_shutdown_function(function () use ($db) { $db->close(); });
}

function early_return() {
    $db = new SQLite3(':memory:'); // site: early_return
    if (getenv('HOME'))
        return;
    $db->close();
}

function throws() {
    $db = new SQLite3(':memory:'); // site: exception
    throw new Exception('on the way');
    $db->close();
}

function exception() {
    try {
        throws();
    } catch (Exception $e) {
        // A trace keeps the arguments, not the variables.
    }
}

function runtime_end() {
    new Holder(new PDO('sqlite::memory:')); // site: runtime_end
}

function killed() {
    static $kept = [];
    $kept[] = new SQLite3(':memory:'); // site: killed
    if (count($kept) == COUNT)
        posix_kill(getmypid(), 9);
}

function persistent() {
    static $n = 0;
    $db = new PDO('sqlite:p' . $n++ . '.db', null, null, [PDO::ATTR_PERSISTENT => true]); // site: persistent
    $db->query('select 1')->fetchAll();
}

$kept = [];
for ($i = 0; $i < COUNT; $i++)
    $argv[1]();
