//! Design §5 rule 7: a thief in lock-step, and who is none.

use super::*;

const CURL: &str = "curl/8.5.0";

/// Each generation is taken by both, in turn first and second.
async fn march(world: &World, party: &Party, owner: &Browser, other: &Browser) -> Vec<Answer> {
    let mut held = world.sign_in(party).await.tokens;
    let mut answers = Vec::new();
    for round in 0..6 {
        let (first, second) = if round % 2 == 0 {
            (owner, other)
        } else {
            (other, owner)
        };
        let answer = refresh(first, party, &held.refresh).await;
        if answer.status != 200 {
            answers.push(answer);
            return answers;
        }
        let next = answer.tokens();
        world.advance(Duration::seconds(30));
        let answer = refresh(second, party, &held.refresh).await;
        let is_over = answer.status != 200;
        if !is_over {
            assert_eq!(answer.tokens().refresh, next.refresh);
        }
        answers.push(answer);
        if is_over {
            refresh(owner, party, &next.refresh)
                .await
                .refused("invalid_grant");
            return answers;
        }
        held = next;
    }
    answers
}

#[tokio::test]
async fn a_thief_elsewhere_is_found_at_the_third_generation() {
    let world = World::new().await;
    let party = world.public().await;
    let owner = world.lab.browser_in(1);
    let thief = world.lab.browser_in(2).calling_itself(CURL);
    let answers = march(&world, &party, &owner, &thief).await;
    assert_eq!(answers.len(), 3);
    answers[2].refused("invalid_grant");
    let events = world.refresh_events().await;
    let seen = events
        .iter()
        .find(|event| event.kind == "refresh.reuse_detected")
        .unwrap();
    assert_eq!(seen.detail["cause"], "two_places_in_lock_step");
}

#[tokio::test]
async fn tabs_networks_and_browsers_of_one_person_are_no_thief() {
    let world = World::new().await;
    let party = world.public().await;
    let owner = world.lab.browser_in(1);
    for other in [
        owner.clone(),
        world.lab.browser_in(2),
        world.lab.browser_in(1).calling_itself(CURL),
    ] {
        let answers = march(&world, &party, &owner, &other).await;
        assert_eq!(answers.len(), 6);
        assert!(answers.iter().all(|answer| answer.status == 200));
    }
}

/// A client with a secret may run in many places.
#[tokio::test]
async fn the_nodes_of_a_confidential_client_are_no_thief() {
    let world = World::new().await;
    let party = world.confidential().await;
    let other = world.lab.browser_in(2).calling_itself(CURL);
    let answers = march(&world, &party, &world.lab.browser_in(1), &other).await;
    assert!(answers.len() == 6 && answers.iter().all(|answer| answer.status == 200));
}
