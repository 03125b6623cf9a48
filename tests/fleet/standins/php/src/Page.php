<?php

declare(strict_types=1);

namespace Guests;

final class Page
{
    /** @return array{int, string} status and text */
    public static function of(string $path): array
    {
        return match ($path) {
            '/' => [200, 'guests'],
            '/health' => [200, 'ok'],
            default => [404, 'not found'],
        };
    }
}
