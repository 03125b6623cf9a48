//! A counter by axum; it ends when its requests have.
use std::env;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::{routing::get, Router};
use tokio::signal::unix::{signal, SignalKind};

static COUNT: AtomicU64 = AtomicU64::new(0);

async fn count() -> String {
    format!("{}\n", COUNT.fetch_add(1, Ordering::Relaxed) + 1)
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let host = env::var("HOST").unwrap_or_else(|_| "127.0.0.1".into());
    let port = env::var("PORT").unwrap_or_else(|_| "3000".into());
    let app = Router::new()
        .route("/", get(|| async { "tally" }))
        .route("/health", get(|| async { "ok" }))
        .route("/count", get(count));
    let listener = tokio::net::TcpListener::bind(format!("{host}:{port}")).await?;
    let mut stop = signal(SignalKind::terminate())?;
    axum::serve(listener, app)
        .with_graceful_shutdown(async move {
            stop.recv().await;
        })
        .await
}
