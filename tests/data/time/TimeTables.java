// Makes joda.tsv and jdk.tsv (see README.md): random patterns, zones and instants, and what the two libraries make of them.
import java.io.PrintWriter;
import java.time.*;
import java.time.format.DateTimeFormatter;
import java.time.temporal.ChronoField;
import java.time.temporal.TemporalQueries;
import java.util.*;
import org.joda.time.DateTime;
import org.joda.time.DateTimeZone;
import org.joda.time.format.DateTimeFormat;

public class TimeTables {
  static final String[] ZONES={"UTC",
    "Europe/Berlin","Europe/London","Europe/Moscow","America/New_York","America/Los_Angeles","America/Sao_Paulo","America/Belize","America/St_Johns","Asia/Seoul","Asia/Tokyo","Asia/Kolkata","Asia/Kathmandu","Asia/Shanghai","Asia/Dubai","Australia/Sydney","Australia/Lord_Howe","Australia/Adelaide","Pacific/Auckland","Pacific/Chatham","Pacific/Apia","Africa/Cairo","Africa/Johannesburg","Atlantic/Azores","America/Caracas","+09:00","-03:30"};
  public static void main(String[] a) throws Exception {
    Locale.setDefault(Locale.US); Random r=new Random(20261121);
    int n=Integer.parseInt(a[0]);
    String[] jl={"G","C","y","yy","yyyy","Y","YYYY","x","xxxx","w","ww","M","MM","MMM","MMMM","D","DDD","d","dd","e","E","EEEE","a","K","KK","h","hh","H","HH","k","kk","m","mm","s","ss","S","SS","SSS","SSSSSS","Z","ZZ","ZZZ"};
    String[] sep={"-","/",":"," ",".",", ","'T'","''","_"};
    try(PrintWriter o=new PrintWriter("joda.tsv","UTF-8")){
      for(int i=0;i<n;i++){ StringBuilder p=new StringBuilder(); int k=1+r.nextInt(7);
        for(int j=0;j<k;j++){ if(j>0)p.append(sep[r.nextInt(sep.length)]); p.append(jl[r.nextInt(jl.length)]); }
        String z=ZONES[r.nextInt(ZONES.length)]; long ms=(long)(r.nextDouble()*2145916800000L);
        if(r.nextInt(20)==0) ms=-ms/4;
        if(ms<0) z="UTC";
        String s=DateTimeFormat.forPattern(p.toString()).withLocale(Locale.US).print(new DateTime(ms,DateTimeZone.forID(z)));
        o.println(p+"\t"+z+"\t"+ms+"\t"+s); } }
    String[] dates={"yyyy-MM-dd","yyyyMMdd","dd/MM/yyyy","d MMMM yyyy","EEE, d MMM yyyy","EEEE d MMM uuuu","uuuu-DDD","yy-M-d","MMM d, yyyy","y.M.d G","uuuuMMdd","dd.MM.yy"};
    String[] times={"HH:mm:ss","HHmmss","HH:mm","h:mm a","hh:mm:ss a","HH:mm:ss.SSS","HH:mm:ss.SSSSSS","k:mm:ss","K:mm a","HHmmssSSS","A","N","H:m:s"};
    String[] zones={""," VV"," X","X","XX"," XXX","XXXX","XXXXX"," x","xx","xxx"," Z","ZZZZZ","[ VV]"," '['VV']'"};
    try(PrintWriter o=new PrintWriter("jdk.tsv","UTF-8")){
      for(int i=0;i<n;i++){ String d=dates[r.nextInt(dates.length)], t=times[r.nextInt(times.length)], z=zones[r.nextInt(zones.length)];
        String p=d+(r.nextInt(6)==0?"":(r.nextBoolean()?" ":"'T'")+t+z);
        ZoneId zone=ZoneId.of(ZONES[r.nextInt(ZONES.length)]); long ms=(long)(r.nextDouble()*2145916800000L);
        DateTimeFormatter f; try { f=DateTimeFormatter.ofPattern(p,Locale.US); } catch(Exception e){ i--; continue; }
        String s; try { s=f.format(Instant.ofEpochMilli(ms).atZone(zone)); } catch(Exception e){ i--; continue; }
        int m=r.nextInt(8);
        if(m==0&&s.length()>1){ int at=r.nextInt(s.length()); s=s.substring(0,at)+(char)('0'+r.nextInt(10))+s.substring(at+1); }
        if(m==1&&s.length()>1){ int at=r.nextInt(s.length()); s=s.substring(0,at)+s.substring(at+1); }
        if(s.indexOf('\t')>=0||s.indexOf('\n')>=0){i--;continue;}
        String out; try { var q=f.parse(s); LocalDate ld=LocalDate.from(q); LocalTime lt=q.query(TemporalQueries.localTime());
          if(lt==null){ boolean tf=false; for(var cf: new ChronoField[]{ChronoField.HOUR_OF_DAY,ChronoField.MINUTE_OF_HOUR,ChronoField.SECOND_OF_MINUTE,ChronoField.NANO_OF_SECOND,ChronoField.HOUR_OF_AMPM,ChronoField.AMPM_OF_DAY}) tf|=q.isSupported(cf);
            if(tf) throw new DateTimeException("t"); lt=LocalTime.MIDNIGHT; }
          long v; if(q.isSupported(ChronoField.INSTANT_SECONDS)) v=Instant.from(q).toEpochMilli();
          else { ZoneId zz=q.query(TemporalQueries.zone()); if(zz==null) zz=ZoneOffset.UTC; var ex=q.query(DateTimeFormatter.parsedExcessDays()); v=ld.plusDays(ex.getDays()).atTime(lt).atZone(zz).toInstant().toEpochMilli(); }
          out=Long.toString(v); } catch(Exception e){ out="-"; }
        o.println(p+"\t"+s+"\t"+out); } }
  }
}
