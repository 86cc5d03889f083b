//! The common case of redeeming a code, as `together` has that of a refresh
//! (docs/decisions/0020).

use super::standing::FALLS;
use super::together::{CROWD, apart, read, transactions, until_held};
use super::*;
use crate::lab::cluster::{self, tell};
use crate::seal::proxy::Proxy;

const HOLDING: &str = "identity.authorization_code";
const WRITING: &str = "identity.refresh_token";

/// A client that this process knows: the first of its redemptions goes the slower way.
async fn known(world: &World) -> Party {
    let party = world.confidential().await;
    world.sign_in(&party).await;
    party
}

/// Issue 3, "Measured speed": begin, hold and read, write, commit. The best of many, since a
/// connection's first call prepares its statement.
#[tokio::test]
async fn a_redemption_by_itself_is_four_round_trips_and_one_durable_commit() {
    let database = cluster::fresh().await;
    let proxy = Proxy::before(&database);
    let world = World::of(Lab::on(proxy.database.clone()).await).await;
    let mut least = usize::MAX;
    for party in [world.confidential().await, world.public().await] {
        for _ in 0..12 {
            let code = world.code(&party, world.session().await).await;
            let before = proxy.round_trips();
            let tokens = redeem(&world.lab.browser(), &party, &code).await.tokens();
            least = least.min(proxy.round_trips() - before);
            let family = tokens.family();
            let written = format!(
                "select xmin::text from identity.token_family where family_id = '{family}'
                 union all
                 select xmin::text from identity.authorization_code where family_id = '{family}'
                 union all
                 select xmin::text from identity.refresh_token where family_id = '{family}'
                 union all
                 select xmin::text from audit.event
                   where type = 'code.redeemed' and detail ->> 'family' = '{family}'"
            );
            assert_eq!(transactions(&world, &written).await, 1);
        }
        assert_eq!(least, 4);
    }
}

/// What a redemption reads has nothing to do with how many others the clinic has, even if its plan
/// was made when it had none.
#[tokio::test]
async fn a_redemption_reads_no_other_persons_rows() {
    const REDEMPTIONS: i64 = 20;
    let world = apart().await;
    let party = known(&world).await;
    world.sign_in(&party).await;
    let (session, mut codes) = (world.session().await, Vec::new());
    for _ in 0..REDEMPTIONS {
        codes.push(world.code(&party, session).await);
    }
    world.tell(CROWD).await;
    // And a thousand codes of her own session.
    let own = format!(
        "set session_replication_role = replica;
         create temp table own as select c.* from (select * from identity.authorization_code
           where session_id = '{session}' limit 1) c, generate_series(1, 1000);
         update own set code_id = gen_random_uuid();
         insert into identity.authorization_code select * from own"
    );
    world.tell(&own).await;
    let (rows_before, before) = read(&world.lab.database, "authorization_code").await;
    for code in &codes {
        redeem(&world.lab.browser(), &party, code).await.tokens();
    }
    // Each looks its code up three times: to hold it, to read it, to write it.
    let rows = loop {
        let (rows, looked_up) = read(&world.lab.database, "authorization_code").await;
        if looked_up - before >= 3 * REDEMPTIONS {
            break rows;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    let each = (rows - rows_before) / REDEMPTIONS;
    assert!(each < 60, "{each} rows a redemption");
}

/// Design §11, revocation is monotonic: what is committed before the code is held is not outrun,
/// for a member, a clinic, an account, a password and a session.
#[tokio::test]
async fn what_falls_before_the_code_is_held_leaves_it_worth_nothing() {
    let world = apart().await;
    let party = known(&world).await;
    let families = async || {
        let all = "select count(*) from identity.token_family";
        world.count(all.to_owned()).await
    };
    for fall in FALLS {
        let session = world.session().await;
        let code = world.code(&party, session).await;
        let before = families().await;
        let mut holder = world.lab.database.superuser().await;
        let lock = format!("begin; lock table {HOLDING} in exclusive mode");
        tell(&mut holder, &lock).await;
        let (browser, by, shown) = (world.lab.browser(), party.clone(), code.clone());
        let under_way = tokio::spawn(async move { redeem(&browser, &by, &shown).await });
        until_held(&world, &mut holder, HOLDING).await;
        fall.befalls(&world, session, fall.down).await;
        tell(&mut holder, "rollback").await;
        under_way.await.unwrap().refused("invalid_grant");
        assert_eq!(families().await, before, "{}", fall.table);
        if let Some(up) = fall.up {
            fall.befalls(&world, session, up).await;
        }
        let again = redeem(&world.lab.browser(), &party, &code).await;
        again.refused("invalid_grant");
    }
}

/// What is committed later ends what is given: its tokens are worth nothing.
#[tokio::test]
async fn what_falls_between_the_judgment_and_the_writing_ends_what_the_code_bought() {
    let world = apart().await;
    let party = known(&world).await;
    for fall in FALLS {
        let session = world.session().await;
        let code = world.code(&party, session).await;
        let mut holder = world.lab.database.superuser().await;
        let lock = format!("begin; lock table {WRITING} in share mode");
        tell(&mut holder, &lock).await;
        let (browser, by) = (world.lab.browser(), party.clone());
        let under_way = tokio::spawn(async move { redeem(&browser, &by, &code).await });
        until_held(&world, &mut holder, WRITING).await;
        fall.befalls(&world, session, fall.down).await;
        tell(&mut holder, "rollback").await;
        let given = under_way.await.unwrap().tokens();
        let refused = world.refresh(&party, &given.refresh).await;
        refused.refused("invalid_grant");
        let seen = ("refresh.rejected".to_owned(), fall.reason.to_owned());
        assert_eq!(world.last_event("reason").await, seen);
        if let Some(up) = fall.up {
            fall.befalls(&world, session, up).await;
        }
    }
}

/// TOK-02: of one code shown by many in one turn, the first has it, and then it is ended, since
/// the others were a second use.
#[tokio::test]
async fn a_code_shown_twice_in_one_turn_is_a_code_used_twice() {
    let world = apart().await;
    let party = known(&world).await;
    let (first, other) = (world.session().await, world.session().await);
    let codes = [
        world.code(&party, first).await,
        world.code(&party, other).await,
    ];
    let mut holder = world.lab.database.superuser().await;
    let lock = format!("begin; lock table {WRITING} in share mode");
    tell(&mut holder, &lock).await;
    let show = |code: &str| {
        let (browser, by, code) = (world.lab.browser(), party.clone(), code.to_owned());
        tokio::spawn(async move { redeem(&browser, &by, &code).await })
    };
    // The first is about to be written; the others wait for their turn, which is one.
    let alone = show(&codes[0]);
    until_held(&world, &mut holder, WRITING).await;
    let shown = [show(&codes[1]), show(&codes[1]), show(&codes[1])];
    tell(&mut holder, "rollback").await;
    alone.await.unwrap().tokens();
    let mut bought = Vec::new();
    for answer in shown {
        let answer = answer.await.unwrap();
        if answer.status == 200 {
            bought.push(answer.tokens());
        } else {
            answer.refused("invalid_grant");
        }
    }
    assert_eq!(bought.len(), 1);
    let refused = world.refresh(&party, &bought[0].refresh).await;
    refused.refused("invalid_grant");
}
