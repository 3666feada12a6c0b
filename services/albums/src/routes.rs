//! The service's routes.

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use demo::extract::{Json, Path, Query};
use demo::{Database, Faults, Page, Problem};
use serde::{Deserialize, Serialize};

use crate::repository::{Album, Albums, NewAlbum};

/// Longest title and artist, in characters.
const LONGEST_TEXT: usize = 200;

#[derive(Clone, Debug)]
struct App {
    albums: Albums,
    faults: Faults,
}

#[derive(Debug, Deserialize)]
struct Filter {
    user_id: Option<i64>,
    limit: Option<i64>,
    offset: Option<i64>,
}

#[derive(Debug, Serialize)]
struct AlbumList {
    albums: Vec<Album>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewAlbumBody {
    user_id: i64,
    title: String,
    artist: String,
    year: i64,
}

/// All routes but `/healthz` and `/metrics`.
pub fn routes(database: &Database, faults: &Faults) -> Router {
    let app = App { albums: Albums::new(database), faults: faults.clone() };
    Router::new()
        .route("/albums", get(list).post(add))
        .route("/albums/{id}", get(find))
        .route("/chaos", faults.routes())
        .with_state(app)
}

async fn list(State(app): State<App>, Query(filter): Query<Filter>) -> Result<impl IntoResponse, Problem> {
    let all = Page::default();
    let page = Page { limit: filter.limit.unwrap_or(all.limit), offset: filter.offset.unwrap_or(all.offset) };
    let page = page.checked()?;
    app.faults.strike().await?;
    let albums = app.albums.list(filter.user_id, page).await?;
    tracing::info!(count = albums.len(), "listed albums");
    Ok(axum::Json(AlbumList { albums }))
}

async fn find(State(app): State<App>, Path(id): Path<i64>) -> Result<impl IntoResponse, Problem> {
    let album = app.albums.find(id).await?;
    album.map(axum::Json).ok_or_else(|| Problem::not_found(format!("no album has the id {id}")))
}

async fn add(State(app): State<App>, Json(body): Json<NewAlbumBody>) -> Result<impl IntoResponse, Problem> {
    let album = checked(body)?;
    let user_id = album.user_id;
    let album = app.albums.add(album).await.map_err(|error| match error.as_database_error() {
        Some(database) if database.is_unique_violation() => Problem::new(
            StatusCode::CONFLICT,
            format!("the user with the id {user_id} has an album of this title already"),
        ),
        _ => error.into(),
    })?;
    tracing::info!(album_id = album.id, user_id, "added an album");
    let location = format!("/albums/{}", album.id);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], axum::Json(album)))
}

fn checked(body: NewAlbumBody) -> Result<NewAlbum, Problem> {
    let text = |name: &str, text: String| {
        let text = text.trim().to_owned();
        if text.is_empty() || text.chars().count() > LONGEST_TEXT || text.chars().any(char::is_control) {
            let limits =
                format!("{name} may have 1 to {LONGEST_TEXT} characters, none of them a control character");
            return Err(Problem::unprocessable(limits));
        }
        Ok(text)
    };
    if body.user_id < 1 {
        return Err(Problem::unprocessable("user_id is 1 or more"));
    }
    if !(1860..=2100).contains(&body.year) {
        return Err(Problem::unprocessable("year may be from 1860, the first recording of sound, to 2100"));
    }
    Ok(NewAlbum {
        user_id: body.user_id,
        title: text("title", body.title)?,
        artist: text("artist", body.artist)?,
        year: body.year,
    })
}
