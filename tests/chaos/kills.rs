//! Servers that are killed while people work.

use super::scene::Scene;
use super::seed::{Chance, kills, seed};

const PEOPLE: usize = 4;

/// Issue 3, "Operations", and design §11: two replicas on one database; either is killed at any
/// moment, sometimes both; no acknowledged write is lost and no honest client is logged out.
/// `LANYARD_KILLS=200` is the long run.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_are_killed_under_load_and_nothing_is_lost() {
    let mut chance = Chance::of(seed());
    let mut scene = Scene::set("kills", PEOPLE).await;
    let load = scene.load(PEOPLE, &mut chance);
    let watch = scene.watch_leaves();
    for number in 1..=kills() {
        // In the middle of whatever goes on then.
        scene.journal.progress(3 + chance.below(30)).await;
        let first = chance.below(2);
        scene.kill(first).await;
        if chance.below(5) == 0 {
            scene.kill(1 - first).await;
            scene.serve(1 - first).await;
        }
        scene.serve(first).await;
        if number % 20 == 0 {
            println!("{number} kills");
        }
    }
    scene.journal.progress(20).await;
    scene.judge(load, watch).await;
}
