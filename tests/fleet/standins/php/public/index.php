<?php

declare(strict_types=1);

use Guests\Page;

require __DIR__ . '/../vendor/autoload.php';

if (!in_array($_SERVER['REQUEST_METHOD'], ['GET', 'HEAD'], true)) {
    http_response_code(405);
    exit;
}
[$status, $text] = Page::of((string) parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH));
http_response_code($status);
header('Content-Type: text/plain; charset=utf-8');
header('X-Content-Type-Options: nosniff');
echo $text;
